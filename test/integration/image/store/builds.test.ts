import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../lib/image/store/gc.ts';
import { openStore } from '../../../../lib/image/store/store.ts';
import { builderArgs, makeStoreDir, startBuilder, useBuilders } from './builders.ts';

const KEY = 'abc';
const META = { parents: [], description: 'of a test' };
const MIB = 1024 ** 2;

useBuilders();

test('processes that build one key share one build', async () => {
  const store = makeStoreDir();
  const builders = Array.from({ length: 4 }, () => startBuilder(builderArgs(store, KEY, 32 * MIB)));
  expect(await Promise.all(builders.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
  const lines = builders.map((builder) => builder.lines);
  expect(lines.filter((one) => one.includes('fill'))).toHaveLength(1);
  for (const one of lines) expect(one.at(-1)).toBe(`built ${join(store, `test-${KEY}`)}`);
  expect(readdirSync(join(store, 'tmp'))).toEqual([]);
});

test('who waits says so, and builds when the first one fails or is killed', async () => {
  const store = makeStoreDir();
  const first = startBuilder(builderArgs(store, KEY, 512 * MIB));
  await first.said('fill');
  const second = startBuilder(builderArgs(store, KEY, MIB));
  await second.said('waits');
  await first.kill();
  expect(await second.ended).toBe(0);
  expect(second.lines).toEqual(['waits', 'fill', 'filled', `built ${join(store, `test-${KEY}`)}`]);
});

describe('a builder killed while it', () => {
  const inTmp = (store: string, name: string) => {
    const dir = readdirSync(join(store, 'tmp')).find((one) => !one.endsWith('.building'));
    return dir !== undefined && existsSync(join(store, 'tmp', dir, name));
  };
  test.each<[phase: string, isReached: (store: string, lines: string[]) => boolean]>([
    ['has the lock', (store) => readdirSync(join(store, 'locks')).length > 0],
    ['has made its folder', (store) => readdirSync(join(store, 'tmp')).some((name) => !name.endsWith('.building'))],
    ['fills it', (store) => inTmp(store, 'data')],
    ['hashes and syncs', (_, lines) => lines.includes('filled')],
    ['writes the seal', (store) => inTmp(store, 'layer.json')],
    ['has renamed it', (store) => existsSync(join(store, `test-${KEY}`))],
  ])('%s leaves nothing that is used', async (_, isReached) => {
    const dir = makeStoreDir();
    const store = openStore(dir);
    const victim = startBuilder(builderArgs(dir, KEY, 48 * MIB));
    let isOver = false;
    void victim.ended.then(() => {
      isOver = true;
    });
    while (!isOver && !isReached(dir, victim.lines)) await turn();
    await victim.kill();
    const found = await store.get('test', KEY);
    // Either nothing, or all of it.
    if (found !== undefined)
      expect(readFileSync(join(found.dir, 'data')).equals(Buffer.alloc(48 * MIB, KEY[0]))).toBe(true);
    let fills = 0;
    await store.build('test', KEY, META, async () => {
      fills += 1;
    });
    expect(fills).toBe(found === undefined ? 1 : 0);
    expect(await store.sweep(false)).toEqual([]);
    expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
  });
});

test('a full disk is an error that says how full, and leaves nothing', () => {
  const store = makeStoreDir();
  const script =
    'mount -t tmpfs -o size=4m none "$1" && shift && "$@"; code=$?; ls -A "$3/tmp"; test ! -e "$3/test-abc"; exit $code';
  const args = builderArgs(store, KEY, 8 * MIB);
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', store, ...args],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual([
    'fill',
    expect.stringMatching(/^error no-space \| .* MiB free of 4 MiB.* \| .*sbx gc/),
  ]);
  expect(status).toBe(1);
});

const ALL = { dryRun: false, all: true, keepSeconds: 0 };

test('gc beside a builder: what it builds, and builds on, is kept', async () => {
  const dir = makeStoreDir();
  const store = openStore(dir);
  for (const key of ['parent', 'other']) await store.build('base', key, META, async () => {});
  const meta = { parents: [{ kind: 'base', key: 'parent' }], description: '' };
  let finish: () => void = () => {};
  let built: Promise<unknown> = Promise.resolve();
  await new Promise<void>((isFilling) => {
    built = store.build('top', 'x', meta, () => {
      isFilling();
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
  });
  const { freed } = await collectGarbage(store, [], ALL);
  expect(freed.map(({ key }) => key)).toEqual(['other']);
  finish();
  await built;
  expect((await store.list()).map(({ key }) => key).sort()).toEqual(['parent', 'x']);
});

test('gc beside many builders and other gcs: every build ends well', async () => {
  const dir = makeStoreDir();
  const store = openStore(dir);
  const builders = ['a', 'b', 'c'].map((key) => startBuilder(builderArgs(dir, key, 8 * MIB)));
  const ended = Promise.all(builders.map((builder) => builder.ended));
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (!isOver) {
    await Promise.all([collectGarbage(store, [], ALL), collectGarbage(store, [], ALL)]);
    await turn();
  }
  expect(await ended).toEqual([0, 0, 0]);
  await collectGarbage(store, [], ALL);
  expect(await store.list()).toEqual([]);
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
});
