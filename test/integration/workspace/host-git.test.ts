/** What the configuration of the host's git names in a project, asked of real git. */
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readHostGit } from '../../../lib/workspace/host-git.ts';
import { type Host, makeHost } from './policy/host.ts';

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

describe('of a condition in the configuration of the user that is not true yet', () => {
  afterEach(() => vi.unstubAllEnvs());

  /** A host whose user has these files, with a hook in the project. */
  function hostWith(files: Record<string, string>): Host {
    const host = makeHost();
    const home = dirname(host.path);
    vi.stubEnv('HOME', home);
    vi.stubEnv('XDG_CONFIG_HOME', undefined);
    const user = '[user]\n\tname = x\n\temail = x@example.com\n';
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(home, name), name === '.gitconfig' ? user + text : text);
    host.write('team/hooks/pre-commit', `#!/bin/sh\n${host.canary}\n`, 0o755);
    return host;
  }
  const includeIf = (condition: string, path: string) => `[includeIf "${condition}"]\n\tpath = ${path}\n`;
  const HOOKS = '[core]\n\thooksPath = team/hooks\n';
  const commit = ['commit', '-q', '--allow-empty', '-m', 'x'];

  test('what the file says is known before a branch makes it true', async () => {
    using host = hostWith({ '.gitconfig': includeIf('onbranch:release', 'release'), release: HOOKS });
    host.git('init', '-q', '-b', 'main');
    host.git(...commit);
    expect(host.hasRun()).toBe(false);
    expect(await namedIn(host.path)).toContain('team/hooks');
    host.git('checkout', '-q', '-b', 'release');
    host.git(...commit);
    expect(host.hasRun()).toBe(true);
  });

  test('and before there is a repository', async () => {
    using host = hostWith({ '.gitconfig': includeIf('gitdir:~/ws/', '~/work'), work: HOOKS });
    expect(await namedIn(host.path)).toContain('team/hooks');
    host.git('init', '-q', '-b', 'main');
    host.git(...commit);
    expect(host.hasRun()).toBe(true);
  });

  test('also behind another condition; both files are followed', async () => {
    using host = hostWith({
      '.gitconfig': includeIf('onbranch:a', 'one'),
      one: includeIf('onbranch:b', 'two'),
      two: '[include]\n\tpath = three\n',
      three: HOOKS,
    });
    const { named, sources } = await readHostGit(host.path);
    expect(named).toContain('team/hooks');
    const home = dirname(host.path);
    expect(sources).toEqual(expect.arrayContaining(['one', 'two', 'three'].map((name) => join(home, name))));
  });

  test('a file that includes itself, or many, has an end; one that is wrong or missing says nothing', async () => {
    const many = Array.from({ length: 100 }, (_, index) => includeIf('onbranch:c', `none-${index}`)).join('');
    using host = hostWith({
      '.gitconfig': includeIf('onbranch:a', 'self') + includeIf('onbranch:b', 'wrong') + many,
      self: includeIf('onbranch:a', 'self') + HOOKS,
      wrong: '[core\n',
    });
    const { named, isBroken } = await readHostGit(host.path);
    expect(named).toContain('team/hooks');
    expect(isBroken).toBe(false);
  });
});
