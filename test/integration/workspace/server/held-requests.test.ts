/** A guest floods the server with long requests that have to wait for the walk over the project. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deferred } from '../../../../lib/guest/protocol/deferred.ts';
import { Rig, type RigOptions, ROOT } from './rig.ts';
import { frame, OP, pack, u32 } from './wire.ts';

const MEBI = 1024 * 1024;
const FLOOD = 40;
const WRITE_ONLY = 1;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-held-'));
  writeFileSync(join(folder, 'file'), 'content');
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Flood {
  /** Requests that were taken from the stream before the walk ended */
  held: number;
  /** Those that were answered after it */
  answered: number;
}

/** Each request is an OPEN to write, and bytes that it has no use for. */
async function flood(length: number, options: RigOptions = {}): Promise<Flood> {
  const { promise, resolve } = deferred<void>();
  let isWalked = false;
  let held = 0;
  const walked = () => {
    if (isWalked) return undefined;
    held += 1;
    return promise;
  };
  await using rig = await Rig.mount(folder, {
    names: { pending: () => undefined, linked: () => {}, walked },
    ...options,
  });
  const { node } = await rig.lookup(ROOT, 'file');
  const body = Buffer.concat([pack(u32(WRITE_ONLY), u32(0)), Buffer.alloc(length)]);
  const calls = Array.from({ length: FLOOD }, () => rig.call(OP.OPEN, node, body));
  await untilStill(() => held);
  const before = held;
  isWalked = true;
  resolve();
  const answered = (await Promise.all(calls)).length;
  // The session serves on.
  await rig.getattr(node);
  return { held: before, answered };
}

async function untilStill(count: () => number): Promise<void> {
  for (let [before, turns] = [-1, 0]; turns < 20; turns = count() === before ? turns + 1 : 0) {
    before = count();
    await new Promise((done) => setTimeout(done, 5));
  }
}

test('no more of them than a few MiB are held, and each is answered in the end', async () => {
  expect(await flood(MEBI)).toEqual({ held: 4, answered: FLOOD });
});

test('short ones are all held: fewer than the bound in number', async () => {
  expect((await flood(0)).held).toBe(FLOOD);
});

test('without the bound in bytes all are held', async () => {
  expect(await flood(MEBI, { heldBytesMax: Number.POSITIVE_INFINITY })).toEqual({ held: FLOOD, answered: FLOOD });
});

test('a session that ends while they are held answers nothing and serves the next one', async () => {
  const names = { pending: () => undefined, linked: () => {}, walked: () => new Promise<void>(() => {}) };
  const rig = await Rig.mount(folder, { names });
  const { node } = await rig.lookup(ROOT, 'file');
  const body = Buffer.concat([pack(u32(WRITE_ONLY), u32(0)), Buffer.alloc(MEBI)]);
  for (let unique = 1000; unique < 1000 + FLOOD; unique += 1)
    rig.stream.write(frame({ opcode: OP.OPEN, unique, node }, body));
  await rig[Symbol.asyncDispose]();
  await using next = await Rig.mount(folder);
  expect(Number((await next.getattr((await next.lookup(ROOT, 'file')).node)).size)).toBe(7);
});
