import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Rig, ROOT } from '../rig.ts';

const SIZE_MAX = 256 * 1024;
const [KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE] = [1, 2, 16];

const offset = fc.nat(SIZE_MAX / 2);
const length = fc.integer({ min: 1, max: SIZE_MAX / 2 });
const step = fc.record({
  do: fc.constantFrom('write', 'append', 'read', 'truncate', 'punch', 'zero', 'extend', 'copy', 'reopen', 'sync'),
  offset,
  to: offset,
  length,
  byte: fc.integer({ min: 1, max: 255 }),
});

interface Step {
  do: string;
  offset: number;
  to: number;
  length: number;
  byte: number;
}

/** As fsx does: random changes of one file, compared with a buffer after each */
it('keeps every byte of a file under random changes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-fsx-'));
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), async (steps) => {
        await using rig = await Rig.mount(folder);
        const { node, handle } = await rig.create(ROOT, 'file', { flags: 0o1102 });
        await rig.setattr(node, { size: 0 });
        const file = new File(rig, node, handle);
        for (const one of steps) {
          await file.run(one);
          expect(readFileSync(join(folder, 'file')).equals(file.wanted), JSON.stringify(one)).toBe(true);
        }
        expect((await rig.getattr(node)).size).toBe(file.wanted.length);
        expect(rig.errors).toEqual([]);
      }),
      { numRuns: 30 },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

class File {
  wanted: Buffer = Buffer.alloc(0);
  private readonly rig: Rig;
  private readonly node: number;
  private handle: number;

  constructor(rig: Rig, node: number, handle: number) {
    this.rig = rig;
    this.node = node;
    this.handle = handle;
  }

  async run(step: Step): Promise<void> {
    const { rig, node, handle } = this;
    const { do: what, offset, length, byte, to } = step;
    if (what === 'write' || what === 'append') return this.write({ ...step, append: what === 'append' });
    if (what === 'read') return this.compare(offset, length);
    if (what === 'sync') return rig.fsync(node, handle);
    if (what === 'truncate') {
      await rig.setattr(node, { size: offset, ...(byte % 2 === 0 && { handle }) });
      return this.resize(offset);
    }
    if (what === 'reopen') {
      await rig.release(node, handle);
      this.handle = await rig.open(node, 2);
      return;
    }
    if (what === 'copy') return this.copy(offset, { to, length });
    await this.allocate(what, { offset, length });
  }

  private async write({ offset, length, byte, append }: Step & { append: boolean }): Promise<void> {
    const { rig, node } = this;
    const data = Buffer.alloc(length, byte);
    const at = append ? this.wanted.length : offset;
    if (at + length > SIZE_MAX) return;
    const handle = append ? await rig.open(node, 0o2001) : this.handle;
    expect(await rig.write(node, handle, data, { offset })).toBe(length);
    if (append) await rig.release(node, handle);
    this.resize(Math.max(this.wanted.length, at + length));
    data.copy(this.wanted, at);
  }

  private async compare(offset: number, length: number): Promise<void> {
    const bytes = await this.rig.read(this.node, this.handle, { offset, size: length });
    expect(bytes.equals(this.wanted.subarray(offset, offset + length))).toBe(true);
  }

  private async copy(offset: number, { to, length }: { to: number; length: number }): Promise<void> {
    const { node, handle } = this;
    const there = Math.min(length, Math.max(0, this.wanted.length - offset));
    // The kernel refuses ranges of one file that overlap.
    if (there === 0 || (to < offset + length && offset < to + length)) return;
    const copied = await this.rig.copy({ node, handle, offset }, { node, handle, offset: to }, length);
    const bytes = Buffer.from(this.wanted.subarray(offset, offset + copied));
    this.resize(Math.max(this.wanted.length, to + copied));
    bytes.copy(this.wanted, to);
    expect(copied).toBe(there);
  }

  private async allocate(what: string, { offset, length }: { offset: number; length: number }): Promise<void> {
    const mode = what === 'punch' ? PUNCH_HOLE | KEEP_SIZE : what === 'zero' ? ZERO_RANGE : 0;
    try {
      await this.rig.fallocate(this.node, this.handle, { offset, length, mode });
    } catch (error) {
      // Not every host file system can do it.
      expect(error).toMatchObject({ errno: 95 });
      return;
    }
    if (what !== 'punch') this.resize(Math.max(this.wanted.length, offset + length));
    if (what !== 'extend') this.wanted.subarray(offset, offset + length).fill(0);
  }

  private resize(size: number): void {
    const bytes = Buffer.alloc(size);
    this.wanted.copy(bytes);
    this.wanted = bytes;
  }
}
