/** Git's configuration of a guest, read back by the real git. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { gitConfigText } from '../../../lib/workspace/git-config-text.ts';
import { guestGitConfig } from '../../../lib/workspace/guest-git.ts';
import { spec } from '../../unit/plan/spec.ts';

let dir: string;
let home: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-guest-git-'));
  home = join(dir, 'home');
  mkdirSync(home);
  vi.stubEnv('HOME', home);
  vi.stubEnv('XDG_CONFIG_HOME', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

/** Each key with its values, as git reads the text */
function read(text: string): Record<string, string[]> {
  const file = join(dir, 'read');
  writeFileSync(file, text);
  const found: Record<string, string[]> = {};
  const out = execFileSync('git', ['config', '--file', file, '--null', '--list'], { encoding: 'utf8' });
  for (const entry of out.split('\0').filter((one) => one !== '')) {
    const [key = '', ...value] = entry.split('\n');
    found[key] = [...(found[key] ?? []), value.join('\n')];
  }
  return found;
}

const setGlobal = (key: string, value: string) =>
  execFileSync('git', ['config', '--file', join(home, '.gitconfig'), key, value]);

const HOSTILE = [
  'a "quoted" name',
  'back\\slash \\n \\" end\\',
  'x"\n[core]\n\tfsmonitor = touch /tmp/owned',
  '[core] sshCommand = evil',
  '# no comment ; none',
  '  blanks  ',
  'tab\tand\bback',
  'r\r\n[alias]\r\n\tst = !evil',
  'end\r',
  'é \u{1f600}',
  '',
];

test.each(HOSTILE)('%j is data', (value) => {
  expect(read(gitConfigText([['user.name', value]]))).toEqual({ 'user.name': [value] });
});

test('written without the quoting, it is configuration', () => {
  expect(read(`[user]\n\tname = ${HOSTILE[2]?.replace('"', '')}\n`)).toHaveProperty(['core.fsmonitor']);
});

test('a value with a NUL is left out', () => {
  expect(gitConfigText([['user.name', 'a\0b']])).toBe('');
});

describe('the guest has', () => {
  test("the user of the host's own configuration, also of files that it includes", async () => {
    setGlobal('user.name', HOSTILE[2] ?? '');
    setGlobal('include.path', 'more');
    writeFileSync(join(home, 'more'), '[user]\n\temail = me@example.test\n[init]\n\tdefaultBranch = trunk\n');
    expect(read(await guestGitConfig(spec()))).toMatchObject({
      'user.name': [HOSTILE[2]],
      'user.email': ['me@example.test'],
      'init.defaultbranch': ['trunk'],
    });
  });

  test('no user where the file says so, or the host has none', async () => {
    expect(await guestGitConfig(spec())).not.toContain('[user]');
    setGlobal('user.name', 'me');
    const { workspace } = spec();
    expect(await guestGitConfig(spec({ workspace: { ...workspace, gitIdentity: false } }))).not.toContain('[user]');
  });

  test('nothing but that of the configuration of the host', async () => {
    setGlobal('user.name', 'me');
    setGlobal('core.sshCommand', 'secret');
    setGlobal('credential.helper', 'store');
    expect(Object.keys(read(await guestGitConfig(spec()))).toSorted()).toEqual([
      'core.checkstat',
      'init.defaultbranch',
      'safe.directory',
      'user.name',
    ]);
  });

  test("nothing of a project's repository, wherever the environment points", async () => {
    const repository = join(dir, 'project');
    execFileSync('git', ['init', '-q', repository]);
    execFileSync('git', ['-C', repository, 'config', 'user.name', 'of the project']);
    const evil = join(repository, '.git/config');
    const ask = () =>
      execFileSync('git', ['config', 'user.name'], { cwd: repository, encoding: 'utf8', env: process.env }).trim();
    vi.stubEnv('GIT_DIR', join(repository, '.git'));
    vi.stubEnv('GIT_CONFIG_GLOBAL', evil);
    expect(ask()).toBe('of the project');
    expect(await guestGitConfig(spec())).not.toContain('of the project');
  });

  test('the folders that it is served as safe, with what git asks of them', async () => {
    const mounts = [{ host: '/srv/x', guest: '/mnt/a "b"', readonly: true, source: 'default' as const }];
    const { workspace } = spec();
    expect(read(await guestGitConfig(spec({ workspace: { ...workspace, path: '/home/me/shop' }, mounts })))).toEqual({
      'core.checkstat': ['minimal'],
      'init.defaultbranch': ['main'],
      'safe.directory': ['/home/me/shop', '/home/me/shop/*', '/mnt/a "b"', '/mnt/a "b"/*'],
    });
  });
});
