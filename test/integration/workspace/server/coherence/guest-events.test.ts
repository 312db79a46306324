/** The process inside that repeats the host's changes: what it is told, and that nothing it asks for reaches the host. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HostWatches } from '../../../../../lib/workspace/watch/host-watches.ts';
import { errnoOf, Rig, type RigOptions, ROOT } from '../rig.ts';
import { frame } from '../wire.ts';

const [EPERM, ENOENT] = [1, 2];
const [ANNOUNCE, ORDER] = [0x53425801, 0x53425802];
const INVAL_ENTRY = 3;
const REPEATER = 77;
const O_EXCL = 0o200;

/** Until a busy machine gets there */
const WAIT = { timeout: 10_000 };

let dir: string;
let watches: HostWatches;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-events-'));
  watches = new HostWatches();
});
afterEach(() => {
  watches[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function mount(options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.mount(dir, { coherence: { watches }, ...options });
  rig.stream.write(frame({ opcode: ANNOUNCE, unique: 0, node: 0, pid: REPEATER }, Buffer.alloc(0)));
  await rig.lookup(ROOT, 'none').catch(() => {});
  return rig;
}

/** Letter and paths, without the numbers */
const orders = (rig: Rig) =>
  rig.notifications
    .filter(({ code }) => code === ORDER)
    .map(({ body }) => body.toString().split('\0').slice(1).join(' '));

async function ordered(rig: Rig, order: string): Promise<void> {
  await expect.poll(() => orders(rig), WAIT).toContain(order);
}

/** Runs `work` as the process that repeats. */
async function repeating<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  const { user } = rig;
  rig.user = { uid: 0, gid: 0, pid: REPEATER };
  try {
    return await work();
  } finally {
    rig.user = user;
  }
}

async function finishAll(rig: Rig): Promise<void> {
  const sent = rig.notifications.filter(({ code }) => code === ORDER);
  for (const { body } of sent) {
    const [number] = body.toString().split('\0');
    expect(await errnoOf(repeating(rig, () => rig.lookup(ROOT, `.sbx-event-${number}`)))).toBe(ENOENT);
  }
}

describe('a change of the host is repeated', () => {
  test('when a file, a folder or a link is made', async () => {
    await using rig = await mount();
    writeFileSync(join(dir, 'file'), 'content');
    await ordered(rig, 'F file');
    await repeating(rig, async () => {
      expect(await errnoOf(rig.lookup(ROOT, 'file'))).toBe(ENOENT);
      const made = await rig.create(ROOT, 'file', { flags: O_EXCL | 1 });
      expect(made.attr).toMatchObject({ size: 7, ino: BigInt(statSync(join(dir, 'file')).ino) });
      expect(await errnoOf(rig.write(made.node, made.handle, 'other'))).toBe(EPERM);
      await rig.release(made.node, made.handle);
    });
    mkdirSync(join(dir, 'folder'));
    await ordered(rig, 'D folder');
    await repeating(rig, () => rig.mkdir(ROOT, 'folder'));
    expect(readFileSync(join(dir, 'file'), 'utf8')).toBe('content');
  });

  test('when content changes, at its real size', async () => {
    writeFileSync(join(dir, 'file'), 'one');
    await using rig = await mount();
    const { node } = await rig.lookup(ROOT, 'file');
    writeFileSync(join(dir, 'file'), 'longer');
    await ordered(rig, 'M file');
    const attr = await repeating(rig, () => rig.setattr(node, { size: 0 }));
    expect(attr.size).toBe(6);
    expect(readFileSync(join(dir, 'file'), 'utf8')).toBe('longer');
  });

  test('when a file is removed, also after the kernel has forgotten it', async () => {
    writeFileSync(join(dir, 'file'), 'one');
    await using rig = await mount();
    const { node } = await rig.lookup(ROOT, 'file');
    unlinkSync(join(dir, 'file'));
    await ordered(rig, 'U file');
    rig.forget(node, 1);
    expect((await rig.lookup(ROOT, 'file')).node).toBe(0);
    await repeating(rig, async () => {
      expect((await rig.lookup(ROOT, 'file')).node).toBe(node);
      await rig.unlink(ROOT, 'file');
    });
    rig.forget(node, 1);
    await finishAll(rig);
    // Nothing holds it any more.
    expect(await errnoOf(rig.getattr(node))).toBeGreaterThan(0);
  });

  test('when a file or folder is removed that the kernel did not know', async () => {
    writeFileSync(join(dir, 'file'), 'one');
    mkdirSync(join(dir, 'folder'));
    await using rig = await mount();
    writeFileSync(join(dir, 'brief'), '');
    unlinkSync(join(dir, 'brief'));
    unlinkSync(join(dir, 'file'));
    rmdirSync(join(dir, 'folder'));
    await ordered(rig, 'R folder');
    expect(orders(rig)).toEqual(['U file', 'R folder']);
    await repeating(rig, async () => {
      for (const name of ['file', 'folder'])
        expect((await rig.getattr((await rig.lookup(ROOT, name)).node)).nlink).toBe(1);
      await rig.unlink(ROOT, 'file');
      await rig.rmdir(ROOT, 'folder');
    });
    await finishAll(rig);
  });

  test('when a file is renamed', async () => {
    writeFileSync(join(dir, 'from'), 'one');
    await using rig = await mount();
    const { node } = await rig.lookup(ROOT, 'from');
    renameSync(join(dir, 'from'), join(dir, 'to'));
    await ordered(rig, 'N from to');
    await repeating(rig, async () => {
      expect((await rig.lookup(ROOT, 'from')).node).toBe(node);
      expect(await errnoOf(rig.lookup(ROOT, 'to'))).toBe(ENOENT);
      await rig.rename([ROOT, 'from'], [ROOT, 'to']);
    });
    expect((await rig.lookup(ROOT, 'to')).node).toBe(node);
    expect(readdirSync(dir)).toEqual(['to']);
  });

  test('but not what a program inside changed, and nothing hidden', async () => {
    const decide = ({ path }: { path: Buffer }) =>
      (path.toString() === '.env' ? 'hidden' : 'pass') as 'hidden' | 'pass';
    await using rig = await mount({ decide });
    const made = await rig.create(ROOT, 'inside');
    await rig.write(made.node, made.handle, 'x');
    await rig.release(made.node, made.handle);
    writeFileSync(join(dir, '.env'), 'SECRET=1');
    writeFileSync(join(dir, 'last'), '');
    await ordered(rig, 'F last');
    expect(orders(rig)).toEqual(['F last']);
  });

  test('only a few at a time, and not all of a flood: the guest still drops what it caches', async () => {
    await using rig = await mount();
    const names = Array.from({ length: 3000 }, (_, index) => `file-${index}`);
    for (const name of names.slice(0, 400)) await rig.lookup(ROOT, name).catch(() => {});
    for (const name of names) writeFileSync(join(dir, name), '');
    const dropped = () => rig.notifications.filter(({ code }) => code === INVAL_ENTRY).length;
    await expect.poll(dropped, WAIT).toBe(400);
    expect(orders(rig).length).toBeLessThanOrEqual(8);
    await finishAll(rig);
    await expect.poll(() => orders(rig).length, WAIT).toBeGreaterThan(8);
  });
});

describe('the process that repeats', () => {
  async function attempts(rig: Rig): Promise<void> {
    const { node } = await rig.lookup(ROOT, 'file');
    const folder = await rig.lookup(ROOT, 'folder');
    const handle = await rig.open(node, 0o1001).catch(() => 0);
    const calls = [
      () => rig.write(node, handle, 'changed'),
      () => rig.setattr(node, { size: 1 }),
      () => rig.setattr(node, { mode: 0o600 }),
      () => rig.create(ROOT, 'made'),
      () => rig.mkdir(ROOT, 'made-folder'),
      () => rig.symlink(ROOT, 'made-link', 'x'),
      () => rig.mknod(ROOT, 'made-node', 0o100644),
      () => rig.link(node, ROOT, 'made-name'),
      () => rig.setxattr(node, 'user.x', Buffer.from('x')),
      () => rig.fallocate(node, handle, { offset: 0, length: 100 }),
      () => rig.rename([ROOT, 'file'], [folder.node, 'moved']),
      () => rig.unlink(ROOT, 'file'),
      () => rig.rmdir(ROOT, 'folder'),
    ];
    for (const call of calls) await call().catch(() => {});
  }
  const state = () =>
    readdirSync(dir, { recursive: true })
      .map((name) => `${name} ${lstatSync(join(dir, String(name))).mode} ${lstatSync(join(dir, String(name))).size}`)
      .sort();

  beforeEach(() => {
    writeFileSync(join(dir, 'file'), 'content');
    mkdirSync(join(dir, 'folder'));
  });

  test('changes nothing on the host, whatever it asks for', async () => {
    await using rig = await mount();
    const before = state();
    await repeating(rig, () => attempts(rig));
    expect(state()).toEqual(before);
    expect(readFileSync(join(dir, 'file'), 'utf8')).toBe('content');
  });

  test('is the only one: the same requests of another process do change it', async () => {
    await using rig = await mount();
    const before = state();
    await attempts(rig);
    expect(state()).not.toEqual(before);
  });

  test('removes no file that the host made again', async () => {
    await using rig = await mount();
    await rig.lookup(ROOT, 'file');
    unlinkSync(join(dir, 'file'));
    await ordered(rig, 'U file');
    writeFileSync(join(dir, 'file'), 'again');
    await repeating(rig, () => rig.unlink(ROOT, 'file'));
    expect(readFileSync(join(dir, 'file'), 'utf8')).toBe('again');
    expect((await rig.lookup(ROOT, 'file')).attr.size).toBe(5);
  });

  test('removes and renames nothing that a program inside has made again', async () => {
    writeFileSync(join(dir, 'other'), '');
    await using rig = await mount();
    for (const name of ['file', 'other']) await rig.lookup(ROOT, name);
    unlinkSync(join(dir, 'file'));
    renameSync(join(dir, 'other'), join(dir, 'moved'));
    await ordered(rig, 'U file');
    await ordered(rig, 'N other moved');
    unlinkSync(join(dir, 'moved'));
    for (const name of ['file', 'moved']) await rig.create(ROOT, name);
    await repeating(rig, async () => {
      // Done, the kernel would take the new file for removed.
      expect(await errnoOf(rig.unlink(ROOT, 'file'))).toBe(EPERM);
      expect(await errnoOf(rig.rename([ROOT, 'other'], [ROOT, 'moved']))).toBe(EPERM);
    });
  });

  test('is not told of what other rules hide by now', async () => {
    let isHidden = false;
    const decide = ({ path }: { path: Buffer }) =>
      (isHidden && path.toString().startsWith('late') ? 'hidden' : 'pass') as 'hidden' | 'pass';
    await using rig = await mount({ decide });
    for (let count = 0; count < 20; count += 1) writeFileSync(join(dir, `early-${count}`), '');
    writeFileSync(join(dir, 'late'), '');
    await ordered(rig, 'F early-7');
    isHidden = true;
    for (let round = 0; round < 3; round += 1) await finishAll(rig);
    await ordered(rig, 'F early-19');
    expect(orders(rig)).not.toContain('F late');
  });

  test('cannot make another process believe that its exclusive file is new', async () => {
    await using rig = await mount();
    writeFileSync(join(dir, 'index.lock'), '');
    await ordered(rig, 'F index.lock');
    expect(await errnoOf(rig.create(ROOT, 'index.lock', { flags: O_EXCL | 1 }))).toBe(17);
  });
});
