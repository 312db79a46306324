import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { failure, hostFacts, load, makeProject } from '../project.ts';

const files = (key: string) => `[agent.files]\n${JSON.stringify(key)} = "x"\n`;

describe('files of an agent', () => {
  test.each([
    ['~/.a.json', '~/.a.json'],
    ['~//.config/./a.json', '~/.config/a.json'],
    ['/home/agent/.a.json', '~/.a.json'],
    ['/etc/a.toml', '/etc/a.toml'],
    ['/home/agents/a', '/home/agents/a'],
    ['/runner', '/runner'],
  ])('%s becomes %s', async (written, path) => {
    expect((await load(files(written))).sandboxes[0]?.agent.files).toEqual({ [path]: 'x' });
  });

  test.each([
    'a.json',
    './a.json',
    '~',
    '~/',
    '~root/.bashrc',
    '~/../root/.bashrc',
    '~/a/..',
    '/',
    '/etc/',
    '/etc/../root/a',
    '/opt/sbx/bin/node',
    '//opt/sbx/bin/node',
    '/proc/sys/kernel/core_pattern',
    '/run/a',
    '/tmp/./a',
    '/./dev/vda',
  ])('%s is rejected with its line', async (written) => {
    const error = await failure(load(files(written)));
    expect(error).toMatchObject({ code: 'config-invalid', place: { line: 2 } });
    expect(error.message).toContain(written);
  });

  test('files of a template and of the project are merged; the project’s content wins', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./mine.toml"]\n[agent.files]\n"/home/agent/b" = "project"\n"~/c" = "project"\n',
      'mine.toml': '[agent]\ncommand = ["mine"]\n[agent.files]\n"~/a" = "template"\n"~/b" = "template"\n',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts() });
    expect(spec.sandboxes[0]?.agent.files).toEqual({ '~/a': 'template', '~/b': 'project', '~/c': 'project' });
  });

  test('without files, the spec has no such field', async () => {
    expect((await load('name = "a"')).sandboxes[0]?.agent).not.toHaveProperty('files');
  });
});

describe('kept folders', () => {
  const agentOf = async (text: string) => (await load(`[agent]\n${text}\n`)).sandboxes[0]?.agent;

  test('lie below the home folder', async () => {
    expect(await agentOf('keep = ["~/.a/", "~/.b//c"]')).toMatchObject({ keep: ['.a', '.b/c'] });
  });

  test.each(['~', '~/', '/home/agent/.a', '.a', '~/../root', '~/./a', '~other/a'])('%s is refused', async (path) => {
    const error = await failure(agentOf(`keep = ["${path}"]`));
    expect(error).toMatchObject({ code: 'config-invalid', place: { line: 2 } });
  });

  test.each(['["~/.a", "~/.a/b"]', '["~/.a", "~/.a/"]'])('%s names one folder twice', async (keep) => {
    expect(await failure(agentOf(`keep = ${keep}`))).toMatchObject({ code: 'config-invalid', place: { line: 2 } });
  });

  test('an exception outside of them is left out', async () => {
    const found = await agentOf('keep = ["~/.a"]\nkeep_except = ["~/.a/auth.json", "~/.b/auth.json"]');
    expect(found).toMatchObject({ keep: ['.a'], keepExcept: ['.a/auth.json'] });
  });

  test('of a project replace those of a template, whose exceptions still hold', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["claude"]\n[agent]\nkeep = ["~/.claude", "~/.x"]\n',
    });
    const [found] = (await loadProject({ cwd: dir, host: hostFacts() })).sandboxes;
    expect(found?.agent).toMatchObject({ keep: ['.claude', '.x'], keepExcept: ['.claude/.credentials.json'] });
  });

  test('an empty list keeps nothing', async () => {
    const dir = await makeProject({ 'sandbox.toml': 'extends = ["claude"]\n[agent]\nkeep = []\n' });
    const [found] = (await loadProject({ cwd: dir, host: hostFacts() })).sandboxes;
    expect(found?.agent).not.toHaveProperty('keep');
    expect(found?.agent).not.toHaveProperty('keepExcept');
  });
});

describe('the template of the agent', () => {
  test.each([
    ['a name', 'agent = "claude"', /templates\/claude\.toml$/],
    ['extends', 'extends = ["claude"]', /templates\/claude\.toml$/],
    [
      'a changed command',
      'extends = ["claude"]\n[agent]\ncommand = ["x"]\nheadless = ["y"]',
      /templates\/claude\.toml$/,
    ],
    ['one of one’s own', 'extends = ["./mine.toml"]', /\/mine\.toml$/],
    ['one that builds on another', 'extends = ["./more.toml"]', /templates\/claude\.toml$/],
  ])('%s', async (_, toml, expected) => {
    const dir = await makeProject({
      'sandbox.toml': toml,
      'mine.toml': '[agent]\ncommand = ["mine"]\n',
      'more.toml': 'extends = ["claude"]\n[agent]\nargs = ["--verbose"]\n',
    });
    const [spec] = (await loadProject({ cwd: dir, host: hostFacts() })).sandboxes;
    expect(spec?.agent.template).toMatch(expected);
  });

  test('an agent of the project’s own file has no template', async () => {
    const dir = await makeProject({ 'sandbox.toml': '[agent]\nname = "mine"\ncommand = ["mine"]\n' });
    expect((await loadProject({ cwd: dir, host: hostFacts() })).sandboxes[0]?.agent).not.toHaveProperty('template');
    expect(
      (await loadProject({ cwd: '/', file: join(dir, 'sandbox.toml'), host: hostFacts() })).sandboxes,
    ).toHaveLength(1);
  });
});
