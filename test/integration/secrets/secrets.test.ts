/** Secrets on a real disk, and real commands. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SbxError } from '../../../lib/errors.ts';
import { homeOf } from '../../../lib/paths.ts';
import { openSecrets, type Secrets } from '../../../lib/secrets/secrets.ts';
import type { SecretSource } from '../../../lib/secrets/types.ts';

const MARK = 'sk-marked-0123456789abcdef';
const ALL = { kind: 'all' } as const;
const ASKER = { dir: '/p', name: 'box' };

let root: string;
let secrets: Secrets;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sbx-secrets-'));
  secrets = openSecrets(homeOf({ SBX_HOME: root }));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const setValue = (value: string, name = 'k') => secrets.set({ name, scope: ALL, source: { kind: 'value' }, value });
const setCommand = (argv: string[], cacheSeconds = 300) =>
  secrets.set({ name: 'k', scope: ALL, source: { kind: 'command', argv, cacheSeconds } satisfies SecretSource });
const failure = (work: Promise<unknown>): Promise<SbxError> =>
  work.then(
    () => expect.unreachable('it did not fail'),
    (error) => error as SbxError,
  );

describe('a value', () => {
  test('is stored in a file that only its user can read, with one warning', async () => {
    expect((await setValue(MARK)).warning).toMatch(/no keyring is used/);
    expect((await setValue(MARK, 'other')).warning).toBeUndefined();
    const dir = join(root, 'secrets');
    expect(readdirSync(dir).toSorted()).toEqual(['index.json', 'values.json']);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(dir)) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dir, 'index.json'), 'utf8')).not.toContain(MARK);
    expect(JSON.stringify(secrets.list())).not.toContain(MARK);
    expect(await secrets.read('k', ASKER)).toBe(MARK);
  });

  test('changes at once when it is set or removed, also for a store opened earlier', async () => {
    const reader = openSecrets(homeOf({ SBX_HOME: root }));
    await setValue('one');
    expect(await reader.read('k', ASKER)).toBe('one');
    await new Promise((resolve) => setTimeout(resolve, 2));
    await setValue('two');
    expect(await secrets.read('k', ASKER)).toBe('two');
    expect(await reader.read('k', ASKER)).toBe('two');
    expect(await secrets.remove('k', ALL)).toBe(true);
    expect(await secrets.remove('k', ALL)).toBe(false);
    expect(await secrets.read('k', ASKER)).toBeUndefined();
    expect(readFileSync(join(root, 'secrets/values.json'), 'utf8')).not.toContain('two');
  });

  test('the narrowest scope wins', async () => {
    await setValue('for-all');
    await secrets.set({ name: 'k', scope: { kind: 'sandbox', ...ASKER }, source: { kind: 'value' }, value: 'for-box' });
    expect(await secrets.read('k', ASKER)).toBe('for-box');
    expect(await secrets.read('k', { ...ASKER, name: 'other' })).toBe('for-all');
  });

  test.each(['', 'two\nlines', ' spaced', 'ünïcode', 'nul\0', 'x'.repeat(20_000)])(
    'that no header can carry is refused, and not shown: %j',
    async (value) => {
      const error = await failure(setValue(value));
      expect(error.code).toBe('secret');
      if (value.trim() !== '') expect(`${error.message} ${error.why} ${error.hint}`).not.toContain(value);
      expect(secrets.list()).toEqual([]);
    },
  );

  test('a file readable by others is rejected, and a damaged one is not quoted', async () => {
    await setValue(MARK);
    const file = join(root, 'secrets/values.json');
    chmodSync(file, 0o644);
    const fresh = openSecrets(homeOf({ SBX_HOME: root }));
    expect(await failure(fresh.read('k', ASKER))).toMatchObject({ code: 'secret', why: /other users/ });
    chmodSync(file, 0o600);
    writeFileSync(file, `{"values": {"k": "${MARK}`);
    const error = await failure(openSecrets(homeOf({ SBX_HOME: root })).read('k', ASKER));
    expect(error).toMatchObject({ code: 'secret', why: 'it is damaged' });
    expect(JSON.stringify([error.message, error.why, error.hint, error.cause])).not.toContain(MARK);
  });
});

describe('a command', () => {
  test('provides the value on demand, and the value is not stored', async () => {
    await setCommand(['printf', '%s\n', MARK.toUpperCase().toLowerCase()]);
    expect(await secrets.read('k', ASKER)).toBe(MARK);
    expect(readdirSync(join(root, 'secrets'))).toEqual(['index.json']);
  });

  test('runs once per cache time, and once for concurrent reads', async () => {
    const count = join(root, 'count');
    await setCommand([process.execPath, '-e', `fs.appendFileSync(${JSON.stringify(count)},'x');console.log('v')`]);
    expect(await Promise.all([1, 2, 3].map(() => secrets.read('k', ASKER)))).toEqual(['v', 'v', 'v']);
    await secrets.read('k', ASKER);
    expect(readFileSync(count, 'utf8')).toBe('x');
    await new Promise((resolve) => setTimeout(resolve, 2));
    await setCommand([process.execPath, '-e', `fs.appendFileSync(${JSON.stringify(count)},'y');console.log('w')`], 0);
    await secrets.read('k', ASKER);
    await secrets.read('k', ASKER);
    expect(readFileSync(count, 'utf8')).toBe('xyy');
  });

  test('gets its arguments unchanged: no shell runs', async () => {
    await setCommand(['printf', '%s', '$HOME;`id`']);
    expect(await secrets.read('k', ASKER)).toBe('$HOME;`id`');
  });

  test.each([
    [
      'fails',
      [process.execPath, '-e', `console.log('${MARK}');console.error('${MARK}');process.exit(3)`],
      /exited with code 3/,
    ],
    ['does not exist', ['/no/such/program', MARK], /program not found/],
    ['prints two lines', ['printf', `${MARK}\\nx`], /line end/],
    ['prints too much', [process.execPath, '-e', "process.stdout.write('x'.repeat(100000))"], /64 KiB/],
  ])('that %s says so without what it printed', async (_name, argv, why) => {
    await setCommand(argv);
    const error = await failure(secrets.read('k', ASKER));
    expect(error.code).toBe('secret');
    expect(error.why).toMatch(why);
    expect(JSON.stringify([error.message, error.why, error.hint, error.cause])).not.toContain(MARK);
  });
});
