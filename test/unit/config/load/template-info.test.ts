import { join } from 'node:path';
import { expect, test } from 'vitest';
import { templateInfo } from '../../../../lib/config/load/template-info.ts';
import { builtinTemplates, templatesDir } from '../../../../lib/config/load/templates.ts';
import { failure, makeProject } from '../project.ts';

const builtin = (name: string) => templateInfo(join(templatesDir(), `${name}.toml`));

test('a template has packages, hosts, secrets and files', async () => {
  expect(await builtin('claude')).toMatchObject({
    name: 'claude',
    description: 'Claude Code, unattended.',
    unverified: undefined,
    packages: { npm: [expect.stringMatching(/^@anthropic-ai\/claude-code@\d/)] },
    hosts: ['api.anthropic.com'],
    secrets: [
      { name: 'anthropic', env: 'ANTHROPIC_API_KEY', host: 'api.anthropic.com' },
      { name: 'claude-oauth', env: 'CLAUDE_CODE_OAUTH_TOKEN', host: 'api.anthropic.com' },
    ],
    files: ['~/.claude.json', '~/.claude/settings.json'],
  });
});

test('exactly one is unverified, with a reason', async () => {
  const all = await Promise.all((await builtinTemplates()).map(builtin));
  expect(all.filter(({ unverified }) => unverified !== undefined).map(({ name }) => name)).toEqual(['kiro']);
  expect((await builtin('kiro')).unverified).toMatch(/installer/);
});

test('a template that extends another includes its packages and hosts', async () => {
  const dir = await makeProject({
    'ours.toml':
      '# ours: with more words.\nextends = ["claude"]\n[agent]\nargs = ["-v"]\n[network]\nallow = ["a.test"]\n',
    'bare.toml': '[env]\nA = "1"\n',
    'wrong.toml': '# wrong: x.\n[agent]\ncomand = ["x"]\n',
  });
  const ours = await templateInfo(join(dir, 'ours.toml'));
  expect(ours).toMatchObject({ description: 'with more words.', hosts: ['api.anthropic.com', 'a.test'] });
  expect(ours.headless[0]).toBe('claude');
  expect(await templateInfo(join(dir, 'bare.toml'))).toMatchObject({ description: '', command: [], secrets: [] });
  const error = await failure(templateInfo(join(dir, 'wrong.toml')));
  expect(error).toMatchObject({
    code: 'config-invalid',
    place: { line: 3, column: 1 },
    hint: expect.stringMatching(/command/),
  });
  expect((await failure(templateInfo(join(dir, 'none.toml')))).code).toBe('config-not-found');
});
