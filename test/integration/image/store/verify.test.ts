import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../lib/image/store/gc.ts';
import { type Layer, openStore, type Store } from '../../../../lib/image/store/store.ts';
import { readHolder } from '../../../../lib/system/file-lock.ts';
import { makeStoreDir } from './builders.ts';

const META = { parents: [], description: 'of a test' };

let dir = '';
let store: Store;
let layer: Layer;
beforeEach(async () => {
  dir = makeStoreDir();
  store = openStore(dir);
  layer = await store.build('warm', 'k', META, async (into) => {
    mkdirSync(join(into, 'sub'));
    writeFileSync(join(into, 'ram'), Buffer.alloc(100_000, 'r'));
    writeFileSync(join(into, 'sub/device'), 'device');
  });
});

async function get(): Promise<{ found: Layer | undefined; damaged: string[] }> {
  const damaged: string[] = [];
  const found = await store.get('warm', 'k', { onDamaged: (why) => damaged.push(why) });
  return { found, damaged };
}

function flipByte(file: string): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, 'x', 50_000);
  closeSync(handle);
}

test('a sound layer is found, and listed with its size', async () => {
  const { found, damaged } = await get();
  expect(found).toEqual(layer);
  const [listed] = await store.list();
  expect(listed).toEqual({ ...layer, bytes: expect.any(Number), lastUsedAt: expect.any(String) });
  expect(listed?.bytes).toBeGreaterThan(100_000);
  expect(damaged).toEqual([]);
});

describe('damaged: reported, removed, built again', () => {
  test.each<[what: string, why: string, harm: () => void]>([
    ['a byte', 'the content of ram has changed', () => flipByte(join(layer.dir, 'ram'))],
    [
      'a byte, with the times set back',
      'the content of ram has changed',
      () => {
        const { atime, mtime } = statSync(join(layer.dir, 'ram'));
        flipByte(join(layer.dir, 'ram'));
        utimesSync(join(layer.dir, 'ram'), atime, mtime);
      },
    ],
    ['a file cut short', 'ram has 10 bytes instead of 100000', () => truncateSync(join(layer.dir, 'ram'), 10)],
    ['a file gone', 'sub/device is missing', () => rmSync(join(layer.dir, 'sub/device'))],
    ['the seal gone', 'layer.json cannot be read', () => rmSync(join(layer.dir, 'layer.json'))],
    ['the seal cut short', 'layer.json cannot be read', () => truncateSync(join(layer.dir, 'layer.json'), 20)],
  ])('%s', async (_, why, harm) => {
    harm();
    expect(await get()).toEqual({ found: undefined, damaged: [why] });
    expect(existsSync(layer.dir)).toBe(false);
    expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
    let fills = 0;
    await store.build('warm', 'k', META, async () => {
      fills += 1;
    });
    expect(fills).toBe(1);
  });
});

test('the seal is what finds it: taken along with the change, nothing is noticed', async () => {
  const record = join(layer.dir, 'layer.json');
  flipByte(join(layer.dir, 'ram'));
  const { ctimeMs } = statSync(join(layer.dir, 'ram'));
  const sealed = JSON.parse(readFileSync(record, 'utf8')) as { files: { name: string; ctimeMs: number }[] };
  for (const file of sealed.files) if (file.name === 'ram') file.ctimeMs = ctimeMs;
  writeFileSync(record, JSON.stringify(sealed));
  expect((await get()).found).toBeDefined();
});

test('only touched, or copied to another disk: the content decides, once', async () => {
  utimesSync(join(layer.dir, 'ram'), new Date(0), new Date(0));
  expect((await get()).damaged).toEqual([]);
  // Sealed again: a change of the content is found from the new times.
  flipByte(join(layer.dir, 'ram'));
  expect((await get()).damaged).toEqual(['the content of ram has changed']);
});

test('two that find the same damage remove it once: what was built again stays', async () => {
  const fill = async (into: string) => writeFileSync(join(into, 'ram'), Buffer.alloc(100_000, 'r'));
  for (let round = 0; round < 5; round += 1) {
    flipByte(join((await store.build('warm', 'k', META, fill)).dir, 'ram'));
    let fills = 0;
    const one = async () => {
      await store.get('warm', 'k');
      return store.build('warm', 'k', META, (into) => {
        fills += 1;
        return fill(into);
      });
    };
    const built = await Promise.all([one(), one(), one(), one()]);
    expect(fills).toBe(1);
    for (const { dir: there } of built) expect(existsSync(join(there, 'ram'))).toBe(true);
  }
});

test('the lock is held until a changed file has been checked', async () => {
  flipByte(join(layer.dir, 'ram'));
  let ended = false;
  const checked = store.get('warm', 'k').finally(() => {
    ended = true;
  });
  let held = false;
  while (!ended) {
    held ||= readHolder(join(dir, 'locks/warm-k')) !== undefined;
    await setImmediate();
  }
  expect(held).toBe(true);
  expect(await checked).toBeUndefined();
});

test('a build that fails or is cancelled leaves nothing, and the next one works', async () => {
  await expect(store.build('a', 'b', META, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  const abort = new AbortController();
  const cancelled = store.build('a', 'b', META, async () => abort.abort(new Error('enough')), { signal: abort.signal });
  await expect(cancelled).rejects.toThrow('enough');
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
  expect(await store.get('a', 'b')).toBeUndefined();
  expect(await store.build('a', 'b', META, async () => {})).toMatchObject({ kind: 'a', key: 'b' });
});

test('a layer whose foundation was built again with other bytes is not used, nor is what stands on it', async () => {
  const on = (kind: string, key: string) => ({ parents: [{ kind, key }], description: kind });
  await store.build('packages', 'p', on('warm', 'k'), async (into) => writeFileSync(join(into, 'disk'), 'p'));
  await store.build('agent', 'a', on('packages', 'p'), async (into) => writeFileSync(join(into, 'disk'), 'a'));
  const agent = async () => {
    const damaged: string[] = [];
    return { found: await store.get('agent', 'a', { onDamaged: (why) => damaged.push(why) }), damaged };
  };
  const again = async (ram: string) => {
    await store.remove('warm', 'k');
    await store.build('warm', 'k', META, async (into) => {
      mkdirSync(join(into, 'sub'));
      writeFileSync(join(into, 'ram'), ram);
      writeFileSync(join(into, 'sub/device'), 'device');
    });
  };
  // The same bytes are the same foundation.
  await again('r'.repeat(100_000));
  expect(await store.get('packages', 'p')).toBeDefined();
  expect((await agent()).found).toBeDefined();
  await again('other');
  const whys: string[] = [];
  expect(await store.get('packages', 'p', { onDamaged: (why) => whys.push(why) })).toBeUndefined();
  expect(whys).toEqual(['the warm layer below it was built again']);
  expect(await agent()).toEqual({
    found: undefined,
    damaged: ['the packages layer below it is gone'],
  });
});

const ALL = { dryRun: false, all: true, keepSeconds: 0 };

test('gc keeps what takes minutes to build again, and what that is made from, until --all', async () => {
  const from = (kind: string, key: string) => ({ parents: [{ kind, key }], description: kind });
  await store.build('packages', 'p', from('warm', 'k'), async () => {});
  await store.build('other', 'o', from('packages', 'p'), async () => {});
  const { freed, kept } = await collectGarbage(store, [], { ...ALL, all: false });
  expect(freed.map(({ kind }) => kind)).toEqual(['other']);
  expect(kept.map(({ kind, reason }) => `${kind}: ${reason}`).toSorted()).toEqual([
    expect.stringMatching(/^packages: .*--all/),
    expect.stringMatching(/^warm: another layer/),
  ]);
  expect(await store.get('packages', 'p')).toBeDefined();
  expect((await collectGarbage(store, [], ALL)).freed).toHaveLength(2);
});

test('gc --keep: by the last use, not by the age', async () => {
  await store.build('agent', 'a', { parents: [{ kind: 'warm', key: 'k' }], description: '' }, async () => {});
  await store.build('agent', 'b', { parents: [{ kind: 'warm', key: 'k' }], description: '' }, async () => {});
  const old = new Date(Date.now() - 10 * 86_400_000);
  for (const path of ['agent-a/layer.json', 'agent-b/layer.json']) utimesSync(join(dir, path), old, old);
  await store.get('agent', 'b');
  const week = { ...ALL, keepSeconds: 7 * 86_400 };
  const { freed, kept } = await collectGarbage(store, [], week);
  expect(freed.map(({ key, lastUsedAt }) => [key, lastUsedAt])).toEqual([['a', old.toISOString()]]);
  expect(kept.map(({ key }) => key).toSorted()).toEqual(['b', 'k']);
  expect((await collectGarbage(store, [], { ...week, keepSeconds: 0 })).freed).toHaveLength(2);
});

test('gc frees what no chain needs; parents of what is used are used', async () => {
  const parent = (kind: string, key: string) => ({ parents: [{ kind, key }], description: kind });
  await store.build('packages', 'p', parent('warm', 'k'), async () => {});
  await store.build('agent', 'a', parent('packages', 'p'), async () => {});
  await store.build('agent', 'unused', parent('packages', 'p'), async () => {});
  mkdirSync(join(dir, 'tmp/agent-x.999999999.1'));
  const used = [{ kind: 'agent', key: 'a' }];
  const planned = await collectGarbage(store, used, { ...ALL, dryRun: true });
  expect(planned.freed.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
    'agent unused',
    'leftover agent-x.999999999.1',
  ]);
  expect(await collectGarbage(store, used, { ...ALL, dryRun: true })).toEqual(planned);
  expect(await collectGarbage(store, used, ALL)).toEqual(planned);
  expect((await store.list()).map(({ kind, key }) => `${kind} ${key}`).sort()).toEqual([
    'agent a',
    'packages p',
    'warm k',
  ]);
  expect(await collectGarbage(store, used, ALL)).toEqual({ freed: [], kept: [] });
});

test('a folder that is no layer is left alone by list and gc', async () => {
  mkdirSync(join(dir, 'mine'));
  await rename(layer.dir, `${layer.dir}.away`);
  expect((await collectGarbage(store, [], ALL)).freed.every(({ key }) => key !== 'mine')).toBe(true);
  expect(existsSync(join(dir, 'mine'))).toBe(true);
});
