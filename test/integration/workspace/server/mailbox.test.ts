/** A guest that lies about the mailbox harms nothing but its own data. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Rig, ROOT } from './rig.ts';
import { frame, OP, pack, u32, u64 } from './wire.ts';

const SLOTS = 4;
const SLOT = 1 << 20;
const EIO = 5;
const BOXED = 0x8000_0000;

let dir: string;
let folder: string;
let fd: number;
let rig: Rig;
let received: Buffer;
let file: { node: number; handle: number };

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-mailbox-'));
  folder = mkdtempSync(join(dir, 'ws-'));
  writeFileSync(join(dir, 'mailbox'), Buffer.alloc(SLOTS * SLOT));
  fd = openSync(join(dir, 'mailbox'), 'r+');
  rig = await Rig.mount(folder, { mailbox: { fd, slots: SLOTS, slotBytes: SLOT } });
  file = await rig.create(ROOT, 'f');
  // From here on the bytes themselves matter.
  rig.stream.removeAllListeners('data');
  received = Buffer.alloc(0);
  rig.stream.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  closeSync(fd);
  rmSync(dir, { recursive: true });
});

const fields = (size: number) => pack(u64(file.handle), u64(0), u32(size), u32(0), u64(0), u32(0), u32(0));

/** Sends a READ or a WRITE with a slot, and waits for the header of its reply. */
async function transfer(opcode: number, slot: number, size: number, data: Buffer = Buffer.alloc(0)) {
  received = Buffer.alloc(0);
  const message = frame({ opcode, unique: 1000, node: file.node }, Buffer.concat([fields(size), data]));
  message.writeUInt32LE(slot, 36);
  rig.stream.write(message);
  while (received.length < 16) await new Promise((done) => setTimeout(done, 2));
  const length = received.readUInt32LE(0);
  const plain = length < BOXED ? length : 16;
  while (received.length < plain) await new Promise((done) => setTimeout(done, 2));
  return { length, error: received.readInt32LE(4), body: received.subarray(16) };
}

const write = (slot: number, size: number, data?: Buffer) => transfer(OP.WRITE, slot, size, data);
const read = (slot: number, size: number) => transfer(OP.READ, slot, size);
const content = () => readFileSync(join(folder, 'f'));

describe('a write', () => {
  test('takes its payload from its slot', async () => {
    writeSync(fd, Buffer.alloc(SLOT, 'a'), 0, SLOT, 3 * SLOT);
    const { error, body } = await write(4, SLOT);
    expect([error, body.readUInt32LE(0)]).toEqual([0, SLOT]);
    expect(content().equals(Buffer.alloc(SLOT, 'a'))).toBe(true);
  });

  test.each([
    ['beyond the last slot', SLOTS + 1, 20_000],
    ['of the largest number', 0xffff_ffff, 20_000],
    ['larger than its slot', 1, SLOT + 1],
    ['of the largest size', 1, 0xffff_ffff],
  ])('%s is answered with EIO and writes nothing', async (_, slot, size) => {
    expect((await write(slot, size)).error).toBe(-EIO);
    expect(content()).toHaveLength(0);
    // The session lives on.
    expect((await write(1, 20_000)).error).toBe(0);
  });

  test('from a mailbox that was cut short is answered with EIO, not with what memory holds', async () => {
    truncateSync(join(dir, 'mailbox'), 1000);
    expect((await write(1, 20_000)).error).toBe(-EIO);
    expect(content()).toHaveLength(0);
  });

  test('with a payload of its own uses that, whatever slot it names', async () => {
    expect((await write(2, 5, Buffer.from('plain'))).error).toBe(0);
    expect(content().toString()).toBe('plain');
  });
});

describe('a read', () => {
  beforeEach(() => writeFileSync(join(folder, 'f'), Buffer.alloc(100_000, 'r')));

  test('leaves its data in its slot and nowhere else', async () => {
    const { length, error } = await read(2, 90_000);
    expect([length, error]).toEqual([BOXED + 16 + 90_000, 0]);
    const all = Buffer.alloc(SLOTS * SLOT);
    readSync(fd, all, 0, all.length, 0);
    const expected = Buffer.alloc(SLOTS * SLOT);
    expected.fill('r', SLOT, SLOT + 90_000);
    expect(all.equals(expected)).toBe(true);
  });

  test.each([
    ['no slot', 0],
    ['a slot beyond the last', SLOTS + 1],
    ['the largest number', 0xffff_ffff],
  ])('with %s is answered by the stream', async (_, slot) => {
    const { length, body } = await read(slot, 90_000);
    expect([length, body.length]).toEqual([16 + 90_000, 90_000]);
    expect(readFileSync(join(dir, 'mailbox')).every((byte) => byte === 0)).toBe(true);
  });

  test('of little is answered by the stream', async () => {
    writeFileSync(join(folder, 'f'), 'short');
    expect((await read(1, 90_000)).body.toString()).toBe('short');
  });
});

test('a guest that uses one slot for two requests mixes up its own data only', async () => {
  writeSync(fd, Buffer.alloc(20_000, 'x'), 0, 20_000, 0);
  const twice = [7, 8].map((unique) => {
    const message = frame({ opcode: OP.WRITE, unique, node: file.node }, fields(20_000));
    message.writeUInt32LE(1, 36);
    return message;
  });
  received = Buffer.alloc(0);
  rig.stream.write(Buffer.concat(twice));
  while (received.length < 48) await new Promise((done) => setTimeout(done, 2));
  expect(content().equals(Buffer.alloc(20_000, 'x'))).toBe(true);
});
