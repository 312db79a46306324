import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadProject, shortPath } from '../../../../lib/config/load/load-project.ts';
import { templatesDir } from '../../../../lib/config/load/templates.ts';
import { failure, hostFacts, load, makeProject } from '../project.ts';

describe('templates', () => {
  test('an agent by name: its commands come from its template, its name from the project', async () => {
    const spec = await load('agent = "shell"');
    expect(spec.files[1]).toBe(join(templatesDir(), 'shell.toml'));
    expect(spec.sandboxes[0]?.agent).toMatchObject({ name: 'shell', headless: ['/bin/bash', '-lc', '{prompt}'] });
    expect(spec.sandboxes[0]?.sources).toMatchObject({
      'agent.name': { file: spec.files[0], line: 1, column: 9 },
      'agent.command': { file: spec.files[1] },
    });
  });

  test('later templates override earlier ones, the project overrides all; every entry keeps its place', async () => {
    const dir = await makeProject({
      'sandbox.toml':
        'extends = ["./a.toml", "./b.toml"]\n[env]\nOWN = "project"\n[packages]\napt = ["jq", "curl"]\nnpm = ["typescript@5.9.3"]',
      'a.toml':
        '[env]\nOWN = "a"\nONE = "a"\nTWO = "a"\n[packages]\napt = ["curl", "wget"]\nnpm = ["typescript@5.0.0", "@a/b@1"]\n[workspace]\nhide = [".env"]',
      'b.toml': '[env]\nTWO = "b"\n[workspace]\nhide = ["*.pem", ".env"]\n[lifecycle]\nrestart = "never"',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts() });
    const [sandbox] = spec.sandboxes;
    const at = (path: string) => {
      const source = sandbox?.sources[path];
      return source === undefined || source === 'default' ? source : `${shortPath(source.file, dir)}:${source.line}`;
    };
    expect(spec.files.map((file) => shortPath(file, dir))).toEqual(['sandbox.toml', 'a.toml', 'b.toml']);
    expect(sandbox?.env).toEqual({ OWN: 'project', ONE: 'a', TWO: 'b' });
    expect([at('env.OWN'), at('env.ONE'), at('env.TWO')]).toEqual(['sandbox.toml:3', 'a.toml:3', 'b.toml:2']);
    expect(sandbox?.packages.apt).toEqual(['curl', 'wget', 'jq']);
    expect([at('packages.apt[0]'), at('packages.apt[2]')]).toEqual(['a.toml:6', 'sandbox.toml:5']);
    expect(sandbox?.packages.npm).toEqual(['@a/b@1', 'typescript@5.9.3']);
    expect(sandbox?.workspace.hide).toEqual(['.env', '*.pem']);
    expect(at('lifecycle.restart')).toBe('b.toml:6');
    expect(at('lifecycle.idle')).toBeUndefined();
  });

  test('paths in a template are relative to its folder', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./team/node.toml"]',
      'team/node.toml': 'extends = ["./deeper/x.toml"]\n[image]\nbase = "./root.tar"',
      'team/deeper/x.toml': '[[mounts]]\nhost = "../data"\nguest = "/data"',
      'team/data/x': '',
      'team/root.tar': '',
    });
    const { sandboxes } = await loadProject({ cwd: dir, host: hostFacts() });
    expect(sandboxes[0]).toMatchObject({
      image: { base: join(dir, 'team/root.tar') },
      mounts: [{ host: join(dir, 'team/data') }],
      workspace: { path: dir },
    });
  });

  test('a circular `extends` is reported with its files in order', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./a.toml"]',
      'a.toml': 'extends = ["./b.toml"]',
      'b.toml': '# here\nextends = ["./a.toml"]',
    });
    const error = await failure(loadProject({ cwd: dir, host: hostFacts() }));
    expect(error.why).toBe('a.toml → b.toml → a.toml');
    expect(error.place).toEqual({ file: join(dir, 'b.toml'), line: 2, column: 12 });
  });

  test('a circular `extends` through a link is detected', async () => {
    const dir = await makeProject({ 'sandbox.toml': 'extends = ["./a.toml"]', 'a.toml': 'extends = ["./link.toml"]' });
    symlinkSync(join(dir, 'a.toml'), join(dir, 'link.toml'));
    expect((await failure(loadProject({ cwd: dir, host: hostFacts() }))).message).toMatch(/circular/);
  });

  test('a template behind a link that leads out of the project is refused, also in a folder or another template', async () => {
    const outside = await makeProject({ 'x.toml': '[env]\nA = "outside"' });
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./link.toml"]',
      'below/sandbox.toml': 'extends = ["./folder/x.toml"]',
      'third/sandbox.toml': 'extends = ["./a.toml"]',
      'third/a.toml': 'extends = ["./b.toml"]',
      'named/sandbox.toml': 'extends = ["../shared.toml"]',
      'shared.toml': '[env]\nA = "named"',
    });
    symlinkSync(join(outside, 'x.toml'), join(dir, 'link.toml'));
    symlinkSync(outside, join(dir, 'below/folder'));
    symlinkSync(join(outside, 'x.toml'), join(dir, 'third/b.toml'));
    for (const cwd of [dir, join(dir, 'below'), join(dir, 'third')])
      expect((await failure(loadProject({ cwd, host: hostFacts() }))).message).toMatch(/leads out of the project/);
    // Where the system follows the link, as any program does, there is the file.
    expect(readFileSync(join(dir, 'link.toml'), 'utf8')).toContain('outside');
    // A path that the file itself writes is no surprise to who reads it.
    const named = await loadProject({ cwd: join(dir, 'named'), host: hostFacts() });
    expect(named.sandboxes[0]?.env).toEqual({ A: 'named' });
  });

  test('a template that is extended twice is not circular', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'extends = ["./a.toml", "./b.toml"]',
      'a.toml': 'extends = ["./c.toml"]',
      'b.toml': 'extends = ["./c.toml"]',
      'c.toml': '[packages]\nsetup = ["true"]',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts() });
    expect(spec.sandboxes[0]?.packages.setup).toEqual(['true']);
  });

  test('an error in a template has its place in the template', async () => {
    const dir = await makeProject({ 'sandbox.toml': 'extends = ["./a.toml"]', 'a.toml': '\n[resources]\ncpus = "x"' });
    const error = await failure(loadProject({ cwd: dir, host: hostFacts() }));
    expect(error.place).toEqual({ file: join(dir, 'a.toml'), line: 3, column: 8 });
  });

  test('the name and the sandboxes of a template are ignored', async () => {
    const dir = await makeProject({
      'sandbox.toml': 'name = "own"\nextends = ["./a.toml"]',
      'a.toml': 'name = "other"\n[sandboxes.x]\ncount = 3',
    });
    const spec = await loadProject({ cwd: dir, host: hostFacts() });
    expect(spec.sandboxes.map(({ name }) => name)).toEqual(['own']);
  });
});
