import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { homeOf, sshPaths } from '../../../lib/paths.ts';
import { ensureKeys } from '../../../lib/ssh/keys.ts';
import { writeEntry } from '../../../lib/ssh/write-entry.ts';
import { noteGuestFolders } from '../../../lib/system/guest-folders.ts';

const ID = '0123456789ab';
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-keys-'));
  mkdirSync(home().instances, { recursive: true });
  mkdirSync(join(home().instances, ID));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const home = () => homeOf({ SBX_HOME: dir });
const paths = () => sshPaths(home(), ID);

test('keys are for their owner alone, and the same for several commands at once', async () => {
  const made = await Promise.all([1, 2, 3].map(() => ensureKeys(ID, paths())));
  expect(new Set(made.map((keys) => JSON.stringify(keys))).size).toBe(1);
  expect(readdirSync(join(home().instances, ID))).toEqual(['ssh']);
  expect(statSync(paths().dir).mode & 0o777).toBe(0o700);
  for (const key of [paths().userKey, paths().serverKey]) expect(statSync(key).mode & 0o777).toBe(0o600);
  expect(made[0]?.serverPrivate).toBe(readFileSync(paths().serverKey, 'utf8'));
  expect(JSON.stringify(made)).not.toContain(readFileSync(paths().userKey, 'utf8').split('\n')[3]);
});

test('two sandboxes have different keys', async () => {
  const other = 'ba9876543210';
  mkdirSync(join(home().instances, other));
  const [one, two] = await Promise.all([ensureKeys(ID, paths()), ensureKeys(other, sshPaths(home(), other))]);
  expect(one?.userPublic).not.toBe(two?.userPublic);
  expect(one?.serverPrivate).not.toBe(two?.serverPrivate);
});

test('nothing is made for a sandbox that is gone', async () => {
  await expect(ensureKeys('gone', sshPaths(home(), 'gone'))).rejects.toThrow('ENOENT');
  expect(readdirSync(home().instances)).toEqual([ID]);
});

test('an entry is for its owner alone', async () => {
  const sandbox = { id: ID, name: 'web', project: 'shop' };
  const { host, text } = await writeEntry({ home: home(), sandbox, all: [sandbox], program: '/usr/bin/sbx' });
  expect(host).toBe('web.shop.sbx');
  expect(readFileSync(paths().config, 'utf8')).toBe(text);
  expect(statSync(paths().config).mode & 0o777).toBe(0o600);
});

test('an entry does not run a program that a sandbox can write', async () => {
  const sandbox = { id: ID, name: 'web', project: 'shop' };
  const program = join(dir, 'project/node_modules/.bin/sbx');
  const write = () => writeEntry({ home: home(), sandbox, all: [sandbox], program });
  expect((await write()).text).toContain(program);
  noteGuestFolders(home().guestFolders, [realpathSync(mkdtempSync(join(dir, 'other-'))), join(dir, 'project')]);
  await expect(write()).rejects.toMatchObject({ code: 'usage', why: expect.stringContaining('/project') });
});
