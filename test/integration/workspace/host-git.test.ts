/** What the configuration of the host's git names in a project, asked of real git. */
import { rmSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readHostGit } from '../../../lib/workspace/host-git.ts';
import { makeHost } from './policy/host.ts';

const namedIn = async (path: string) => (await readHostGit(path)).named;

test('of a subfolder: relative paths count from the top of the work tree', async () => {
  using host = makeHost();
  host.git('init', '-q', '-b', 'main');
  host.write('shop/team/hooks/pre-commit', `#!/bin/sh\n${host.canary}\n`, 0o755);
  host.write('shop/tools/filter', 'cat\n', 0o755);
  host.git('config', 'core.hooksPath', 'shop/team/hooks');
  host.git('config', 'filter.x.clean', 'shop/tools/filter --fast');
  // Git takes it from there.
  host.gitIn('shop', 'commit', '--allow-empty', '-m', 'first');
  expect(host.hasRun()).toBe(true);
  const named = await namedIn(`${host.path}/shop`);
  expect(named).toEqual(expect.arrayContaining(['team/hooks', 'tools/filter']));
});

test('of a subfolder: what the configuration at the top includes', async () => {
  using host = makeHost();
  host.git('init', '-q', '-b', 'main');
  host.write('packages/app/team.gitconfig', `[core]\n\tfsmonitor = ${host.canary}\n`);
  host.git('config', 'include.path', '../packages/app/team.gitconfig');
  // Git obeys it.
  host.gitIn('packages/app', 'status');
  expect(host.hasRun()).toBe(true);
  expect(await namedIn(`${host.path}/packages/app`)).toContain('team.gitconfig');
});

test.each([
  ['hooks of an outer repository', '.git/hooks', '../../packages/app/pre-commit', []],
  [
    'a hooks folder of the configuration',
    '.husky',
    '../packages/app/pre-commit',
    ['config', 'core.hooksPath', '.husky'],
  ],
])('of a subfolder: what the links in %s lead to, one after the other', async (_, hooks, target, setting) => {
  using host = makeHost();
  host.git('init', '-q', '-b', 'main');
  host.write(`${hooks}/post-commit.sample`, '');
  host.write('packages/app/scripts/check', `#!/bin/sh\n${host.canary}\n`, 0o755);
  symlinkSync('scripts/check', `${host.path}/packages/app/pre-commit`);
  symlinkSync(target, `${host.path}/${hooks}/pre-commit`);
  if (setting.length > 0) host.git(...setting);
  // Git runs it.
  host.gitIn('packages/app', 'commit', '--allow-empty', '-m', 'first');
  expect(host.hasRun()).toBe(true);
  const named = await namedIn(`${host.path}/packages/app`);
  expect(named).toEqual(expect.arrayContaining(['pre-commit', 'scripts/check']));
});

test('of a hooks folder that is a link', async () => {
  using host = makeHost();
  host.git('init', '-q', '-b', 'main');
  host.write('packages/app/hooks/pre-commit', '#!/bin/sh\n', 0o755);
  rmSync(`${host.path}/.git/hooks`, { recursive: true });
  symlinkSync('../packages/app/hooks', `${host.path}/.git/hooks`);
  expect(await namedIn(`${host.path}/packages/app`)).toContain('hooks');
});
