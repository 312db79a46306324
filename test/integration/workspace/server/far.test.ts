/** Sizes and offsets that no file of the host can have are answered as ext4 does. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { errnoOf, Rig, ROOT } from './rig.ts';
import { OP, pack, u32, u64 } from './wire.ts';

const [ENXIO, EFBIG] = [6, 27];
/** Beyond what the server takes, and at the end of what a kernel sends */
const FAR = [2n ** 53n, 2n ** 63n - 1n];

let folder: string;
let rig: Rig;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-far-'));
  rig = await Rig.mount(folder);
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  expect(rig.errors).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

it.each(FAR)('%s as a size, and as the place of a write, is EFBIG', async (far) => {
  const { node, handle } = await rig.create(ROOT, 'a');
  await rig.write(node, handle, 'kept');
  const write = pack(u64(handle), u64(far), u32(1), u32(0), u64(0), u32(0), u32(0), Buffer.from('x'));
  const allocate = (offset: bigint, length: bigint) =>
    rig.call(OP.FALLOCATE, node, pack(u64(handle), u64(offset), u64(length), u32(0), u32(0)));
  const copy = pack(u64(handle), u64(0), u64(node), u64(handle), u64(far), u64(1), u64(0));
  const refused = [
    rig.setattr(node, { size: far }),
    rig.setattr(node, { size: far, handle }),
    rig.call(OP.WRITE, node, write),
    allocate(far, 1n),
    allocate(0n, far),
    rig.call(OP.COPY_FILE_RANGE, node, copy),
  ];
  for (const call of refused) expect(await errnoOf(call)).toBe(EFBIG);
  expect(statSync(join(folder, 'a')).size).toBe(4);
});

it("the host's own limit is EFBIG, too", async () => {
  const { node, handle } = await rig.create(ROOT, 'a');
  const far = 2n ** 53n - 2n;
  const [truncated, written] = await Promise.all([
    errnoOf(rig.setattr(node, { size: far })).catch(() => 'the host takes it'),
    errnoOf(rig.write(node, handle, 'x', { offset: Number(far) })).catch(() => 'the host takes it'),
  ]);
  for (const answer of [truncated, written]) expect([EFBIG, 'the host takes it']).toContain(answer);
});

it.each(FAR)('nothing is read from %s on', async (far) => {
  const { node, handle } = await rig.create(ROOT, 'a');
  await rig.write(node, handle, 'kept');
  const read = pack(u64(handle), u64(far), u32(4096), u32(0), u64(0), u32(0), u32(0));
  expect(await rig.call(OP.READ, node, read)).toHaveLength(0);
  for (const whence of [3, 4])
    expect(await errnoOf(rig.call(OP.LSEEK, node, pack(u64(handle), u64(far), u32(whence), u32(0))))).toBe(ENXIO);
  const dir = await rig.opendir(ROOT);
  expect(await rig.call(OP.READDIR, ROOT, pack(u64(dir), u64(far), u32(4096), Buffer.alloc(24)))).toHaveLength(0);
});
