import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../lib/image/gc.ts';
import { openStore, type Store } from '../../../lib/image/store.ts';

const META = { parents: [], description: 'a test' };

describe('the store of layers', () => {
  let work: string;
  let dir: string;
  let store: Store;
  let builder: string;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'sbx-store-'));
    builder = join(work, 'builder.mjs');
    // A process of its own that builds layer k: it says when it fills, waits as told, and writes its pid.
    const source = `import { openStore } from ${JSON.stringify(resolve('lib/image/store.ts'))}; import { appendFileSync, writeFileSync } from 'node:fs';
      const [dir, log, waitMs] = process.argv.slice(2);
      const layer = await openStore(dir).build('test', 'k', { parents: [], description: 'x' }, async (into) => { appendFileSync(log, process.pid + '\\n'); writeFileSync(into + '/file', String(process.pid)); await new Promise((done) => setTimeout(done, Number(waitMs))); });
      process.stdout.write(layer.dir);`;
    await build({
      stdin: { contents: source, resolveDir: resolve('.') },
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
      outfile: builder,
      logLevel: 'error',
    });
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));
  beforeEach(() => {
    dir = mkdtempSync(join(work, 's'));
    store = openStore(dir);
  });

  const make = (key: string, content = 'content') =>
    store.build('test', key, META, async (into) => writeFileSync(join(into, 'file'), content));
  const start = (log: string, waitMs: number) =>
    spawn(process.execPath, [builder, dir, log, String(waitMs)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = (child: ReturnType<typeof start>) => new Promise<number | null>((done) => child.once('close', done));

  test('builds once, finds again', async () => {
    const layer = await make('a');
    expect((await store.get('test', 'a'))?.dir).toBe(layer.dir);
    expect(await make('a', 'never written')).toMatchObject({ createdAt: layer.createdAt });
    expect(await store.get('test', 'b')).toBeUndefined();
  });

  test('a failed build leaves nothing', async () => {
    await expect(store.build('test', 'a', META, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
    expect(await store.get('test', 'a')).toBeUndefined();
  });

  test('a changed byte, a lost end and a missing file are damage; a changed time is not', async () => {
    const reasons: string[] = [];
    const look = (key: string) => store.get('test', key, { onDamaged: (why) => reasons.push(why) });
    const file = async (key: string) => join((await make(key)).dir, 'file');
    utimesSync(await file('time'), 1, 1);
    expect(await look('time')).toBeDefined();
    writeFileSync(await file('byte'), 'Content');
    truncateSync(await file('end'), 3);
    appendFileSync(await file('more'), 'x');
    rmSync(await file('gone'));
    for (const key of ['byte', 'end', 'more', 'gone']) expect(await look(key)).toBeUndefined();
    expect(reasons).toHaveLength(4);
    expect((await make('byte')).dir).toBeTruthy();
  });

  test('a full disk is said to be one', async () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    await expect(store.build('test', 'a', META, () => Promise.reject(full))).rejects.toMatchObject({
      code: 'no-space',
    });
    expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
  });

  test('two processes that build one key share one build', async () => {
    const log = join(dir, 'log');
    const codes = await Promise.all([start(log, 300), start(log, 300), start(log, 300)].map(ended));
    expect(codes).toEqual([0, 0, 0]);
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  test('a builder that is killed leaves nothing that is used; the next one builds', async () => {
    const log = join(dir, 'log');
    const child = start(log, 60_000);
    const end = ended(child);
    while (statSync(log, { throwIfNoEntry: false }) === undefined) await new Promise((done) => setTimeout(done, 10));
    child.kill('SIGKILL');
    await end;
    expect(await store.get('test', 'k')).toBeUndefined();
    expect(readdirSync(join(dir, 'tmp'))).toHaveLength(1);
    expect(await make('k')).toMatchObject({ key: 'k' });
    expect(await store.sweep(false)).toHaveLength(1);
    expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
  });

  test('gc keeps what is used and says what goes', async () => {
    await make('used');
    await make('unused');
    const wouldGo = await collectGarbage(store, [{ kind: 'test', key: 'used' }], true);
    expect(wouldGo).toMatchObject([{ key: 'unused' }]);
    expect(await store.list()).toHaveLength(2);
    await collectGarbage(store, [{ kind: 'test', key: 'used' }], false);
    expect((await store.list()).map(({ key }) => key)).toEqual(['used']);
  });
});
