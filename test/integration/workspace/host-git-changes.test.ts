/** The user changes the configuration of the host's git while a guest is served: what it names in the project is protected from then on. */
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ServedFolder } from '../../../lib/workspace/client/served-folders.ts';
import { followHostGit } from '../../../lib/workspace/host-git-changes.ts';
import { Attacker, type Served, serveFolder } from './facts/guest.ts';
import { type Host, makeHost } from './policy/host.ts';

const HOOK = 'team/hooks/pre-commit';
const RULES = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [], named: [] };

let host: Host;
let home: string;
let named: string[];
let followed: AsyncDisposable | undefined;
const hooksIn = (folder: string) => `[core]\n\thooksPath = ${folder}\n[user]\n\tname = x\n\temail = x@example.com\n`;

beforeEach(() => {
  host = makeHost();
  home = dirname(host.path);
  vi.stubEnv('HOME', home);
  vi.stubEnv('XDG_CONFIG_HOME', undefined);
  host.git('init', '-q', '-b', 'main');
  host.write('team/hooks/README', 'hooks of the team');
  named = [];
});
afterEach(async () => {
  await followed?.[Symbol.asyncDispose]();
  followed = undefined;
  vi.unstubAllEnvs();
  host[Symbol.dispose]();
});

/** As the daemon and the server together */
function follow(served: Served): void {
  const folder: ServedFolder = { name: 'ws', path: host.path, isFile: false, readonly: false, rules: RULES };
  const apply = async ([changed]: ServedFolder[]) => {
    named = changed?.rules?.named ?? [];
    served.facts.setNamed(named);
  };
  followed = followHostGit([folder], apply, { everyMs: 5 });
}

/** Ways to name the folder in the user's own configuration */
const CHANGES: [string, () => void][] = [
  ['~/.gitconfig', () => writeFileSync(join(home, '.gitconfig'), hooksIn(join(host.path, 'team/hooks')))],
  ['~/.gitconfig, relative to the project', () => writeFileSync(join(home, '.gitconfig'), hooksIn('team/hooks'))],
  [
    '~/.config/git/config, which there was not',
    () => {
      mkdirSync(join(home, '.config/git'), { recursive: true });
      writeFileSync(join(home, '.config/git/config'), hooksIn('team/hooks'));
    },
  ],
  [
    'a file that is renamed into its place',
    () => {
      writeFileSync(join(home, 'new'), hooksIn('team/hooks'));
      renameSync(join(home, 'new'), join(home, '.gitconfig'));
    },
  ],
  ['a file that it includes, which there was not', () => writeFileSync(join(home, 'included'), hooksIn('team/hooks'))],
  [
    'a link in the hooks folder that it names',
    () => symlinkSync(join(host.path, HOOK), join(home, 'hooks/pre-commit')),
  ],
];

function prepare(way: string): void {
  if (way.startsWith('a file that it includes')) host.git('config', '--global', 'include.path', 'included');
  if (!way.startsWith('a link')) return;
  mkdirSync(join(home, 'hooks'));
  host.git('config', '--global', 'core.hooksPath', join(home, 'hooks'));
}

test.each(CHANGES)('a hook of the guest is not run after a change of %s', async (way, change) => {
  prepare(way);
  await using served = await serveFolder(host.path);
  follow(served);
  change();
  await vi.waitFor(() => expect(named.some((path) => HOOK.startsWith(path))).toBe(true), 20_000);
  await new Attacker(served).write(HOOK, `#!/bin/sh\n${host.canary}\n`, 0o755);
  host.git('commit', '-q', '--allow-empty', '-m', 'first');
  expect(existsSync(join(host.path, HOOK))).toBe(false);
  expect(host.hasRun()).toBe(false);
});

test.each(CHANGES)('it is run if nothing follows %s', async (way, change) => {
  prepare(way);
  await using served = await serveFolder(host.path);
  change();
  await new Attacker(served).write(HOOK, `#!/bin/sh\n${host.canary}\n`, 0o755);
  host.git('commit', '-q', '--allow-empty', '-m', 'first');
  expect(host.hasRun()).toBe(true);
});

test('a hook that the guest holds open is not written any more', async () => {
  await using served = await serveFolder(host.path);
  const { rig } = served;
  const { node: folder } = await rig.walk('team/hooks');
  const { node, handle } = await rig.create(folder, 'pre-commit', { mode: 0o755 });
  follow(served);
  host.git('config', '--global', 'core.hooksPath', 'team/hooks');
  await vi.waitFor(() => expect(named).toContain('team/hooks'), 20_000);
  await rig.write(node, handle, `#!/bin/sh\n${host.canary}\n`).catch(() => {});
  host.git('commit', '-q', '--allow-empty', '-m', 'first');
  expect(host.hasRun()).toBe(false);
});

test('what is named no more is protected on', async () => {
  host.git('config', '--global', 'core.hooksPath', 'team/hooks');
  await using served = await serveFolder(host.path);
  follow(served);
  await vi.waitFor(() => expect(named).toContain('team/hooks'), 20_000);
  host.git('config', '--global', 'core.hooksPath', 'other');
  await vi.waitFor(() => expect(named).toContain('other'), 20_000);
  expect(named).toContain('team/hooks');
});

test('after its end nothing is applied', async () => {
  await using served = await serveFolder(host.path);
  follow(served);
  await followed?.[Symbol.asyncDispose]();
  host.git('config', '--global', 'core.hooksPath', 'team/hooks');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(named).toEqual([]);
});

test('a path of a command that the guest made a loop does not end the following', async () => {
  host.git('config', '--global', 'core.sshCommand', 'ssh -i ~/.ssh/id_work');
  symlinkSync('~', join(host.path, '~'));
  await using served = await serveFolder(host.path);
  follow(served);
  host.git('config', '--global', 'core.hooksPath', 'team/hooks');
  await vi.waitFor(() => expect(named).toContain('team/hooks'), 20_000);
});

test('an included file that git could not read is followed on', async () => {
  const included = join(home, 'included');
  host.git('config', '--global', 'include.path', included);
  writeFileSync(included, '[user]\n\tname = x\n');
  await using served = await serveFolder(host.path);
  follow(served);
  writeFileSync(included, '[core\n');
  // Longer than two looks with a git that fails.
  await new Promise((resolve) => setTimeout(resolve, 300));
  writeFileSync(included, hooksIn('team/hooks'));
  await vi.waitFor(() => expect(named).toContain('team/hooks'), 20_000);
});

test.each([true, false])(
  'a file that git names now has its rule under its other names as well (named: %s)',
  async (isNamed) => {
    host.write('tools/merge.sh', 'of the user');
    linkSync(join(host.path, 'tools/merge.sh'), join(host.path, 'other'));
    await using served = await serveFolder(host.path);
    await served.facts.walked();
    const attacker = new Attacker(served);
    await attacker.append('other', '; a');
    if (isNamed) served.facts.setNamed(['tools/merge.sh']);
    await attacker.append('other', '; b');
    expect(readFileSync(join(host.path, 'tools/merge.sh'), 'utf8')).toBe(
      isNamed ? 'of the user; a' : 'of the user; a; b',
    );
  },
);
