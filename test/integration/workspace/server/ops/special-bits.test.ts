/** Set-user-id and set-group-id bits, kept for the guest only: they end as on ext4, by whoever has no right to keep them. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errnoOf, Rig, ROOT } from '../rig.ts';
import { name, OP, pack, readAttr, u32, u64 } from '../wire.ts';

const SPECIAL = 0o7000;
/** What a kernel sends along for a process without CAP_FSETID: in OPEN and CREATE, in WRITE, in SETATTR */
const KILL = { open: 1, write: 4, setattr: 1 << 11 };
const [TRUNC_WRITE, FATTR_SIZE] = [0o1001, 8];
/** INIT without HANDLE_KILLPRIV_V2, as before Linux 5.11 */
const OLD_KERNEL = 0xffff_ffff & ~(1 << 28);

let folder: string;
let rig: Rig;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-bits-'));
  rig = await Rig.mount(folder);
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  expect(rig.errors).toEqual([]);
  for (const path of ['a', 'b'])
    expect((statSync(join(folder, path), { throwIfNoEntry: false })?.mode ?? 0) & SPECIAL).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

interface Open {
  used: Rig;
  node: number;
  handle: number;
}

const CHANGES: [string, (open: Open, kill: boolean) => Promise<unknown>][] = [
  ['a write', ({ used, node, handle }, kill) => used.write(node, handle, 'x', { flags: kill ? KILL.write : 0 })],
  [
    'a truncation',
    ({ used, node }, kill) => {
      const valid = FATTR_SIZE | (kill ? KILL.setattr : 0);
      return used.call(OP.SETATTR, node, pack(u32(valid), u32(0), u64(0), u64(3), Buffer.alloc(64)));
    },
  ],
  [
    'an open that truncates',
    ({ used, node }, kill) => used.call(OP.OPEN, node, pack(u32(TRUNC_WRITE), u32(kill ? KILL.open : 0))),
  ],
  [
    'a creation that finds the file',
    ({ used }, kill) =>
      used.call(OP.CREATE, ROOT, pack(u32(0o1102), u32(0o644), u32(0), u32(kill ? KILL.open : 0), name('a'))),
  ],
];

const BY_USER: [string, (open: Open) => Promise<unknown>][] = [
  ['fallocate', ({ used, node, handle }) => used.fallocate(node, handle, { offset: 0, length: 4096 })],
  [
    'copy_file_range',
    async ({ used, node, handle }) => {
      const from = await used.create(ROOT, 'b');
      await used.write(from.node, from.handle, 'text');
      return used.copy({ ...from, offset: 0 }, { node, handle, offset: 0 }, 4);
    },
  ],
];

async function make(used: Rig, mode: number): Promise<Open> {
  const { node, handle } = await used.create(ROOT, 'a');
  await used.setattr(node, { mode });
  return { used, node, handle };
}

async function modeOf({ used, node }: Open): Promise<number> {
  return (await used.getattr(node)).mode & 0o7777;
}

describe.each(CHANGES)('%s', (_, change) => {
  it('by a process that may keep them leaves them', async () => {
    const open = await make(rig, 0o6755);
    await change(open, false);
    expect(await modeOf(open)).toBe(0o6755);
  });

  it('by any other ends them', async () => {
    const open = await make(rig, 0o6755);
    await change(open, true);
    expect(await modeOf(open)).toBe(0o755);
  });

  it('leaves a set-group-id bit where the group may not execute, and a sticky bit', async () => {
    const open = await make(rig, 0o7745);
    await change(open, true);
    expect(await modeOf(open)).toBe(0o3745);
  });

  it('ends them where the kernel does not say who writes', async () => {
    await using old = await Rig.mount(folder, { unmounted: true });
    await old.init(31, 7, OLD_KERNEL >>> 0);
    const open = await make(old, 0o6755);
    await change(open, false);
    expect(await modeOf(open)).toBe(0o755);
  });
});

describe.each(BY_USER)('%s', (_, change) => {
  it('leaves them for root, and ends them for others', async () => {
    const open = await make(rig, 0o6755);
    rig.user = { uid: 0, gid: 0 };
    await change(open);
    expect(await modeOf(open)).toBe(0o6755);
    rig.user = { uid: 1000, gid: 1000 };
    await rig.unlink(ROOT, 'b').catch(() => {});
    await change(open);
    expect(await modeOf(open)).toBe(0o755);
  });
});

it('a change of owner ends them, also by root', async () => {
  const open = await make(rig, 0o6755);
  rig.user = { uid: 0, gid: 0 };
  expect((await rig.setattr(open.node, { uid: 5 })).mode & 0o7777).toBe(0o755);
});

it('a refused change leaves them', async () => {
  await using guarded = await Rig.mount(folder, {
    decide: ({ operation }) => (operation === 'write' ? 'read-only' : 'pass'),
  });
  const open = await make(guarded, 0o6755);
  expect(await errnoOf(guarded.write(open.node, open.handle, 'x', { flags: KILL.write }))).toBe(30);
  expect(await modeOf(open)).toBe(0o6755);
});

it('is agreed on once: a session that goes on knows it', async () => {
  const open = await make(rig, 0o6755);
  const saved = rig.session.save();
  await using next = await Rig.mount(folder, { saved });
  await next.write(open.node, open.handle, 'x');
  expect(readAttr(await next.call(OP.GETATTR, open.node, Buffer.alloc(16)), 16).mode & 0o7777).toBe(0o6755);
});
