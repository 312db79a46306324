import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errnoOf, Rig, ROOT } from '../rig.ts';
import { name, OP, pack, u32, u64 } from '../wire.ts';

const E = {
  PERM: 1,
  NOENT: 2,
  NXIO: 6,
  BADF: 9,
  EXIST: 17,
  NOTDIR: 20,
  ISDIR: 21,
  INVAL: 22,
  NOTTY: 25,
  FBIG: 27,
} as const;
const [ERANGE, ENAMETOOLONG, ENOSYS, ENOTEMPTY, ENODATA, EOPNOTSUPP, ESTALE] = [34, 36, 38, 39, 61, 95, 116];

let folder: string;
let rig: Rig;
const at = (path: string) => join(folder, path);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-server-'));
  rig = await Rig.mount(folder);
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  expect(rig.errors).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

describe('names', () => {
  it('finds a file of the host with its inode number, size and exact times', async () => {
    writeFileSync(at('a'), 'hello');
    execFileSync('touch', ['-d', '1969-12-31T23:59:58.123456789Z', at('a')]);
    const { attr } = await rig.lookup(ROOT, 'a');
    const host = lstatSync(at('a'), { bigint: true });
    expect(attr).toMatchObject({ ino: host.ino, size: 5, mtimeNs: host.mtimeNs, mode: Number(host.mode), nlink: 1 });
    expect(attr.mtimeNs).toBe(-1_876_543_211n);
    expect(attr).toMatchObject({ uid: 1000, gid: 1000 });
  });

  it('answers ENOENT for a name that does not exist, and may let the kernel remember it', async () => {
    expect(await errnoOf(rig.lookup(ROOT, 'missing'))).toBe(E.NOENT);
    const lifetimes = { entrySeconds: 5, attributeSeconds: 5, missingSeconds: 1.5 };
    await using remembering = await Rig.mount(folder, { lifetimes });
    const reply = await remembering.call(OP.LOOKUP, ROOT, name('missing'));
    expect([reply.readBigUInt64LE(0), reply.readBigUInt64LE(16), reply.readUInt32LE(32)]).toEqual([
      0n,
      1n,
      500_000_000,
    ]);
  });

  it.each(['', '.', '..', 'a/b', '/'])('refuses %j as a name', async (bad) => {
    expect(await errnoOf(rig.lookup(ROOT, bad))).toBe(E.INVAL);
    expect(await errnoOf(rig.mkdir(ROOT, bad))).toBe(E.INVAL);
    expect(await errnoOf(rig.create(ROOT, bad))).toBe(E.INVAL);
  });

  it('refuses a name of 256 bytes and takes one of 255', async () => {
    expect(await errnoOf(rig.lookup(ROOT, 'x'.repeat(256)))).toBe(ENAMETOOLONG);
    expect((await rig.mkdir(ROOT, 'x'.repeat(255))).node).toBeGreaterThan(ROOT);
  });

  it('takes names that are no UTF-8', async () => {
    const odd = Buffer.from([0xff, 0xfe, 0x80, 0x41]);
    const { node, handle } = await rig.create(ROOT, odd);
    await rig.write(node, handle, 'odd');
    expect(readdirSync(folder, { encoding: 'buffer' })).toEqual([odd]);
    expect((await rig.list(ROOT)).map((entry) => entry.name.toString('latin1')).sort()).toContain(
      odd.toString('latin1'),
    );
    expect((await rig.lookup(ROOT, odd)).node).toBe(node);
    const folderEntry = await rig.mkdir(ROOT, Buffer.from([0xc3, 0x28]));
    await rig.create(folderEntry.node, 'below');
    expect((await rig.lookup(folderEntry.node, 'below')).attr.size).toBe(0);
  });

  it('gives all hard links of a file one node, and each name works while it is there', async () => {
    writeFileSync(at('one'), 'x');
    linkSync(at('one'), at('two'));
    const one = await rig.lookup(ROOT, 'one');
    expect((await rig.lookup(ROOT, 'two')).node).toBe(one.node);
    unlinkSync(at('one'));
    expect((await rig.getattr(one.node)).nlink).toBe(1);
    unlinkSync(at('two'));
    expect(await errnoOf(rig.getattr(one.node))).toBe(ESTALE);
  });

  it('answers ESTALE for a node whose file the host replaced', async () => {
    writeFileSync(at('a'), 'old');
    const { node } = await rig.lookup(ROOT, 'a');
    writeFileSync(at('b'), 'new');
    renameSync(at('b'), at('a'));
    expect(await errnoOf(rig.getattr(node))).toBe(ESTALE);
    expect(await errnoOf(rig.open(node))).toBe(ESTALE);
    expect((await rig.lookup(ROOT, 'a')).node).not.toBe(node);
  });

  it('follows the guest and the host when a folder is renamed', async () => {
    mkdirSync(at('d/e'), { recursive: true });
    writeFileSync(at('d/e/f'), 'x');
    const { node } = await rig.walk('d/e/f');
    await rig.rename([ROOT, 'd'], [ROOT, 'moved']);
    expect((await rig.getattr(node)).size).toBe(1);
    renameSync(at('moved'), at('again'));
    await rig.lookup(ROOT, 'again');
    expect((await rig.getattr(node)).size).toBe(1);
  });

  it('reads and makes symbolic links without following them', async () => {
    symlinkSync('/etc/passwd', at('out'));
    const { node, attr } = await rig.lookup(ROOT, 'out');
    expect(attr.mode & 0o170000).toBe(0o120000);
    expect((await rig.readlink(node)).toString()).toBe('/etc/passwd');
    expect(await errnoOf(rig.open(node))).toBe(40);
    expect(await errnoOf(rig.lookup(node, 'x'))).toBe(E.NOTDIR);
    await rig.link(node, ROOT, 'second');
    expect([readlinkSync(at('second')), lstatSync(at('out')).nlink]).toEqual(['/etc/passwd', 2]);
    await rig.symlink(ROOT, 'made', '../else/where');
    expect(readlinkSync(at('made'))).toBe('../else/where');
    expect(await errnoOf(rig.symlink(ROOT, 'long', 'x'.repeat(4096)))).toBe(ENAMETOOLONG);
  });
});

describe('making and removing', () => {
  it('makes files and folders with exactly the mode asked for', async () => {
    await rig.create(ROOT, 'f', { mode: 0o666, umask: 0 });
    await rig.create(ROOT, 'g', { mode: 0o666, umask: 0o027 });
    await rig.mkdir(ROOT, 'd', 0o777);
    await rig.mknod(ROOT, 'n', 0o100777);
    const modes = ['f', 'g', 'd', 'n'].map((path) => statSync(at(path)).mode & 0o7777);
    expect(modes).toEqual([0o666, 0o640, 0o777, 0o755]);
  });

  it('refuses devices, FIFOs and sockets', async () => {
    for (const type of [0o010000, 0o020000, 0o060000, 0o140000])
      expect(await errnoOf(rig.mknod(ROOT, 'special', type | 0o644))).toBe(E.PERM);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('opens what exists already unless O_EXCL is set', async () => {
    writeFileSync(at('a'), 'there');
    const { node, handle, attr } = await rig.create(ROOT, 'a');
    expect(attr.size).toBe(5);
    expect((await rig.read(node, handle)).toString()).toBe('there');
    expect(await errnoOf(rig.create(ROOT, 'a', { flags: 0o302 }))).toBe(E.EXIST);
    symlinkSync('/etc/passwd', at('link'));
    expect(await errnoOf(rig.create(ROOT, 'link'))).toBe(40);
  });

  it('removes files and folders', async () => {
    mkdirSync(at('d'));
    writeFileSync(at('d/f'), '');
    const { node } = await rig.lookup(ROOT, 'd');
    expect(await errnoOf(rig.rmdir(ROOT, 'd'))).toBe(ENOTEMPTY);
    expect(await errnoOf(rig.unlink(ROOT, 'd'))).toBe(E.ISDIR);
    await rig.unlink(node, 'f');
    await rig.rmdir(ROOT, 'd');
    expect(existsSync(at('d'))).toBe(false);
    expect(await errnoOf(rig.lookup(node, 'f'))).toBe(E.NOENT);
  });

  it('links a file, and the guest sees one node with two links', async () => {
    const { node } = await rig.create(ROOT, 'a');
    const linked = await rig.link(node, ROOT, 'b');
    expect(linked).toMatchObject({ node, attr: { nlink: 2 } });
    expect(statSync(at('a')).ino).toBe(statSync(at('b')).ino);
    await rig.unlink(ROOT, 'a');
    expect((await rig.getattr(node)).nlink).toBe(1);
    expect(await errnoOf(rig.link(ROOT, ROOT, 'root'))).toBe(E.PERM);
  });

  it('renames with NOREPLACE and EXCHANGE, and refuses WHITEOUT', async () => {
    const a = await rig.create(ROOT, 'a');
    const b = await rig.create(ROOT, 'b');
    expect(await errnoOf(rig.rename([ROOT, 'a'], [ROOT, 'b'], 1))).toBe(E.EXIST);
    await rig.rename([ROOT, 'a'], [ROOT, 'b'], 2);
    expect((await rig.lookup(ROOT, 'a')).node).toBe(b.node);
    expect((await rig.lookup(ROOT, 'b')).node).toBe(a.node);
    expect(await errnoOf(rig.rename([ROOT, 'a'], [ROOT, 'c'], 4))).toBe(E.INVAL);
    await rig.call(OP.RENAME, ROOT, pack(u64(ROOT), name('a'), name('c')));
    expect(readdirSync(folder).sort()).toEqual(['b', 'c']);
  });

  it('keeps both names of one file when it is renamed over its own link', async () => {
    const { node } = await rig.create(ROOT, 'a');
    await rig.link(node, ROOT, 'b');
    await rig.rename([ROOT, 'a'], [ROOT, 'b']);
    expect(readdirSync(folder).sort()).toEqual(['a', 'b']);
    await rig.unlink(ROOT, 'a');
    expect((await rig.getattr(node)).nlink).toBe(1);
  });
});

describe('open files', () => {
  it('reads, writes, appends and truncates as the host sees it', async () => {
    const { node, handle } = await rig.create(ROOT, 'a');
    expect(await rig.write(node, handle, 'hello')).toBe(5);
    expect(await rig.write(node, handle, 'J', { offset: 0 })).toBe(1);
    expect(readFileSync(at('a'), 'utf8')).toBe('Jello');
    const appending = await rig.open(node, 0o2001);
    await rig.write(node, appending, '!', { offset: 0 });
    expect(readFileSync(at('a'), 'utf8')).toBe('Jello!');
    // A page of a memory map through a handle that appends
    await rig.write(node, appending, 'C', { offset: 0, flags: 1 });
    expect(readFileSync(at('a'), 'utf8')).toBe('Cello!');
    await rig.write(node, appending, '?', { offset: 0 });
    expect(readFileSync(at('a'), 'utf8')).toBe('Cello!?');
    await rig.setattr(node, { size: 3, handle });
    await rig.setattr(node, { size: 2 });
    expect(readFileSync(at('a'), 'utf8')).toBe('Ce');
    expect(await errnoOf(rig.setattr(node, { size: 2n ** 60n }))).toBe(E.FBIG);
    await rig.open(node, 0o1001);
    expect(readFileSync(at('a'), 'utf8')).toBe('');
  });

  it('keeps an unlinked open file alive', async () => {
    const { node, handle } = await rig.create(ROOT, 'a');
    await rig.write(node, handle, 'before');
    await rig.unlink(ROOT, 'a');
    expect((await rig.getattr(node)).nlink).toBe(0);
    await rig.setattr(node, { size: 3 });
    await rig.setattr(node, { mode: 0o600, mtime: { seconds: 7, nanoseconds: 8 } });
    await rig.write(node, handle, '!', { offset: 3 });
    const again = await rig.open(node);
    expect((await rig.read(node, again)).toString()).toBe('bef!');
    await rig.release(node, handle);
    await rig.release(node, again);
    expect(await errnoOf(rig.getattr(node))).toBe(ESTALE);
  });

  it('keeps an open file that another is renamed over', async () => {
    const old = await rig.create(ROOT, 'a');
    await rig.write(old.node, old.handle, 'old');
    const fresh = await rig.create(ROOT, 'b');
    await rig.write(fresh.node, fresh.handle, 'new');
    await rig.rename([ROOT, 'b'], [ROOT, 'a']);
    expect((await rig.read(old.node, old.handle)).toString()).toBe('old');
    expect((await rig.lookup(ROOT, 'a')).node).toBe(fresh.node);
    expect(readFileSync(at('a'), 'utf8')).toBe('new');
  });

  it('makes a file without a name that can get one', async () => {
    const { node, handle } = await rig.tmpfile(ROOT, 0o640);
    await rig.write(node, handle, 'quiet');
    expect(readdirSync(folder)).toEqual([]);
    expect((await rig.getattr(node)).nlink).toBe(0);
    await rig.link(node, ROOT, 'named');
    expect(readFileSync(at('named'), 'utf8')).toBe('quiet');
    expect(statSync(at('named')).mode & 0o777).toBe(0o640);
  });

  it('finds data and holes, and punches them', async () => {
    const { node, handle } = await rig.create(ROOT, 'a');
    const size = 1024 * 1024;
    await rig.write(node, handle, Buffer.alloc(size, 1));
    await rig.fallocate(node, handle, { offset: 262_144, length: 262_144, mode: 3 });
    expect(
      readFileSync(at('a'))
        .subarray(262_144, 524_288)
        .every((byte) => byte === 0),
    ).toBe(true);
    const hole = await rig.lseek(node, handle, { offset: 0, whence: 4 });
    expect([262_144, size]).toContain(hole);
    if (hole < size) expect(await rig.lseek(node, handle, { offset: hole, whence: 3 })).toBe(524_288);
    expect(await errnoOf(rig.lseek(node, handle, { offset: 0, whence: 0 }))).toBe(E.INVAL);
    await rig.fallocate(node, handle, { offset: size, length: 4096 });
    expect(statSync(at('a')).size).toBe(size + 4096);
    expect(await errnoOf(rig.fallocate(node, handle, { offset: 0, length: 4096, mode: 8 }))).toBe(EOPNOTSUPP);
  });

  it('copies ranges between files', async () => {
    writeFileSync(at('from'), 'copy me');
    const from = await rig.lookup(ROOT, 'from');
    const source = { node: from.node, handle: await rig.open(from.node), offset: 5 };
    const { node, handle } = await rig.create(ROOT, 'to');
    await rig.write(node, handle, 'paste: ');
    expect(await rig.copy(source, { node, handle, offset: 7 }, 2n ** 63n - 1n)).toBe(2);
    expect(readFileSync(at('to'), 'utf8')).toBe('paste: me');
  });

  it('syncs files and folders, and a release in between closes the file afterwards', async () => {
    const { node, handle } = await rig.create(ROOT, 'a');
    const syncs = Array.from({ length: 200 }, () => rig.fsync(node, handle));
    const released = rig.release(node, handle);
    const results = await Promise.allSettled([...syncs, released]);
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
    const dir = await rig.opendir(ROOT);
    await rig.call(OP.FSYNCDIR, ROOT, pack(u64(dir), u32(1), u32(0)));
    expect(await errnoOf(rig.fsync(node, handle))).toBe(E.BADF);
  });

  it('never opens a FIFO, a socket or a device of the host', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    const { node, attr } = await rig.lookup(ROOT, 'fifo');
    expect(attr.mode & 0o170000).toBe(0o010000);
    for (const flags of [0, 1, 2]) expect(await errnoOf(rig.open(node, flags))).toBe(E.NXIO);
    expect(await errnoOf(rig.create(ROOT, 'fifo'))).toBe(E.NXIO);
    // Also when the host puts it in the place of a file that the guest knows
    writeFileSync(at('file'), '');
    const known = await rig.lookup(ROOT, 'file');
    renameSync(at('fifo'), at('file'));
    expect(await errnoOf(rig.open(known.node))).toBe(ESTALE);
  });

  it('answers calls that it has no use for', async () => {
    const { node, handle } = await rig.create(ROOT, 'a');
    // The kernel asks no more at a `close`.
    expect(await errnoOf(rig.call(OP.FLUSH, node, pack(u64(handle), u32(0), u32(0), u64(0))))).toBe(ENOSYS);
    expect(await errnoOf(rig.call(OP.ACCESS, node, pack(u32(4), u32(0))))).toBe(ENOSYS);
    expect(await errnoOf(rig.call(OP.POLL, node, Buffer.alloc(24)))).toBe(ENOSYS);
    expect(await errnoOf(rig.call(OP.BMAP, node, Buffer.alloc(16)))).toBe(ENOSYS);
    expect(await errnoOf(rig.call(OP.IOCTL, node, Buffer.alloc(32)))).toBe(E.NOTTY);
    expect(await errnoOf(rig.call(999, node))).toBe(ENOSYS);
  });
});

describe('folders', () => {
  it('lists entries in parts, with lookups for each in READDIRPLUS', async () => {
    for (let index = 0; index < 300; index++) writeFileSync(at(`file-${index}`), '');
    const plain = await rig.list(ROOT, { size: 512 });
    const names = plain.map((entry) => entry.name.toString());
    expect(names.sort()).toEqual(['.', '..', ...readdirSync(folder)].sort());
    const plus = await rig.list(ROOT, { size: 4096, plus: true });
    for (const { name: entryName, entry, ino } of plus) {
      const dots = ['.', '..'].includes(entryName.toString());
      expect(entry?.node === 0).toBe(dots);
      if (!dots) expect([entry?.attr.ino, (await rig.lookup(ROOT, entryName)).node]).toEqual([ino, entry?.node]);
    }
  });

  it('reads again at offset 0 and continues at an index', async () => {
    writeFileSync(at('a'), '');
    const handle = await rig.opendir(ROOT);
    const before = await rig.readdir(ROOT, handle);
    writeFileSync(at('b'), '');
    expect(await rig.readdir(ROOT, handle, { offset: 1 })).toHaveLength(2);
    expect(await rig.readdir(ROOT, handle)).toHaveLength(before.length + 1);
  });

  it('keeps a folder that was removed while open', async () => {
    const { node } = await rig.mkdir(ROOT, 'd');
    const handle = await rig.opendir(node);
    await rig.rmdir(ROOT, 'd');
    // As the host's own kernel answers
    expect(await errnoOf(rig.readdir(node, handle))).toBe(E.NOENT);
    expect((await rig.getattr(node, handle)).nlink).toBe(0);
    await rig.releasedir(node, handle);
  });

  it('bounds the memory of open listings', async () => {
    for (let index = 0; index < 100; index++) writeFileSync(at(`file-${index}`), '');
    await using small = await Rig.mount(folder, { limits: { listingBytes: 6000 } });
    const first = await small.opendir(ROOT);
    const second = await small.opendir(ROOT);
    await small.readdir(ROOT, first);
    expect(await errnoOf(small.readdir(ROOT, second))).toBe(12);
    await small.releasedir(ROOT, first);
    expect(await small.readdir(ROOT, second)).not.toEqual([]);
  });

  it('reports the host file system', async () => {
    const reply = await rig.call(OP.STATFS, ROOT);
    expect(reply.length).toBe(80);
    expect(reply.readBigUInt64LE(0)).toBeGreaterThan(0n);
    expect(reply.readUInt32LE(44)).toBe(255);
  });
});

describe('the end of a session', () => {
  it('comes with DESTROY, which is answered', async () => {
    const { node, handle } = await rig.create(ROOT, 'a');
    await rig.write(node, handle, 'kept');
    expect(await rig.call(OP.DESTROY, ROOT)).toHaveLength(0);
    await rig.session.closed;
    expect(readFileSync(at('a'), 'utf8')).toBe('kept');
  });

  it('comes when the stream ends, and closes every descriptor', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const other = await Rig.mount(folder);
    const { node } = await other.mkdir(ROOT, 'd');
    await other.create(node, 'f');
    await other.opendir(node);
    other.stream.end();
    await other.session.closed;
    other.volume[Symbol.dispose]();
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});

describe('attributes', () => {
  it('sets times to the nanosecond', async () => {
    const { node, handle } = await rig.create(ROOT, 'a');
    const times = { atime: { seconds: -5, nanoseconds: 999_999_999 }, mtime: { seconds: 4, nanoseconds: 123_456_789 } };
    expect(await rig.setattr(node, times)).toMatchObject({ atimeNs: -4_000_000_001n, mtimeNs: 4_123_456_789n });
    await rig.release(node, handle);
    await rig.setattr(node, { mtime: { seconds: 1, nanoseconds: 1 } });
    expect(statSync(at('a'), { bigint: true })).toMatchObject({ mtimeNs: 1_000_000_001n, atimeNs: -4_000_000_001n });
    const { node: link } = await rig.symlink(ROOT, 'link', 'nowhere');
    await rig.setattr(link, { mtime: { seconds: 2, nanoseconds: 3 } });
    expect(lstatSync(at('link'), { bigint: true }).mtimeNs).toBe(2_000_000_003n);
    expect(await errnoOf(rig.setattr(node, { mtime: { seconds: 1, nanoseconds: 0x3fffffff } }))).toBe(E.INVAL);
  });

  it('changes modes of files and folders, open or not', async () => {
    mkdirSync(at('d'));
    writeFileSync(at('f'), '');
    chmodSync(at('f'), 0o000);
    const f = await rig.lookup(ROOT, 'f');
    const d = await rig.lookup(ROOT, 'd');
    await rig.setattr(f.node, { mode: 0o640 });
    await rig.setattr(d.node, { mode: 0o711 });
    expect([statSync(at('f')).mode & 0o7777, statSync(at('d')).mode & 0o7777]).toEqual([0o640, 0o711]);
    await rig.open(f.node);
    await rig.setattr(f.node, { mode: 0o600 });
    expect(statSync(at('f')).mode & 0o7777).toBe(0o600);
  });

  it('keeps owners for the guest and changes nothing on the host', async () => {
    writeFileSync(at('a'), '');
    const before = statSync(at('a'));
    const { node } = await rig.lookup(ROOT, 'a');
    expect(await rig.setattr(node, { uid: 33, gid: 44 })).toMatchObject({ uid: 33, gid: 44 });
    expect(await rig.setattr(node, { gid: 45 })).toMatchObject({ uid: 33, gid: 45 });
    expect(await rig.lookup(ROOT, 'a')).toMatchObject({ attr: { uid: 33, gid: 45 } });
    expect(statSync(at('a'))).toMatchObject({ uid: before.uid, gid: before.gid });
  });

  it('shows files of other host users as owned by no user of the guest', async () => {
    await using other = await Rig.mount(folder, { hostUid: 123_456 });
    writeFileSync(at('a'), '');
    expect((await other.lookup(ROOT, 'a')).attr).toMatchObject({ uid: 65534, gid: 65534 });
  });

  it('gives new files to the process that makes them', async () => {
    rig.user = { uid: 0, gid: 0 };
    expect((await rig.create(ROOT, 'root')).attr).toMatchObject({ uid: 0, gid: 0 });
    const shared = await rig.mkdir(ROOT, 'shared');
    await rig.setattr(shared.node, { mode: 0o2775, gid: 77 });
    expect((await rig.create(shared.node, 'f')).attr).toMatchObject({ uid: 0, gid: 77 });
    expect((await rig.mkdir(shared.node, 'd')).attr.mode & 0o7777).toBe(0o2755);
  });

  it('forgets the owners of files that are gone, and keeps those of files with another name', async () => {
    await using few = await Rig.mount(folder, { limits: { owners: 4 } });
    few.user = { uid: 0, gid: 0 };
    const kept = await few.create(ROOT, 'kept');
    await few.link(kept.node, ROOT, 'second');
    for (let round = 0; round < 10; round++) {
      const { node, handle } = await few.create(ROOT, 'f');
      if (round % 2 === 0) await few.release(node, handle);
      await few.unlink(ROOT, 'f');
      if (round % 2 === 1) await few.release(node, handle);
      await few.mkdir(ROOT, 'd');
      await few.rmdir(ROOT, 'd');
      const over = await few.mknod(ROOT, 'over', 0o100644);
      await few.mknod(ROOT, 'new', 0o100644);
      await few.rename([ROOT, 'new'], [ROOT, 'over']);
      few.forget(over.node, 1);
      await few.unlink(ROOT, 'over');
    }
    await few.unlink(ROOT, 'kept');
    expect((await few.lookup(ROOT, 'second')).attr.uid).toBe(0);
  });

  it('shows special bits to the guest and never sets them on the host', async () => {
    const special = 0o7000;
    const { node, handle } = await rig.create(ROOT, 'created', { mode: 0o6755 });
    const made = await rig.mknod(ROOT, 'made', 0o104755);
    const dir = await rig.mkdir(ROOT, 'dir', 0o1777);
    const temporary = await rig.tmpfile(ROOT, 0o6755);
    await rig.link(temporary.node, ROOT, 'temporary');
    await rig.setattr(made.node, { mode: 0o6755 });
    await rig.setattr(dir.node, { mode: 0o7777 });
    for (const path of readdirSync(folder)) expect(statSync(at(path)).mode & special, path).toBe(0);
    expect((await rig.getattr(made.node)).mode & special).toBe(0o6000);
    expect((await rig.getattr(dir.node)).mode & special).toBe(0o7000);
    expect((await rig.getattr(node)).mode & special).toBe(0o6000);
    // By a process that is not root
    await rig.write(node, handle, 'other content', { flags: 4 });
    expect((await rig.getattr(node)).mode & special).toBe(0);
    await rig.setattr(made.node, { uid: 5 });
    expect((await rig.getattr(made.node)).mode & special).toBe(0);
  });
});

describe('extended attributes', () => {
  it('keeps those of users on the host, and no others', async () => {
    const { node } = await rig.create(ROOT, 'a');
    await rig.setxattr(node, 'user.colour', Buffer.from('blue'));
    expect((await rig.getxattr(node, 'user.colour')).toString()).toBe('blue');
    expect((await rig.getxattr(node, 'user.colour', 0)).readUInt32LE(0)).toBe(4);
    expect(await errnoOf(rig.getxattr(node, 'user.colour', 3))).toBe(ERANGE);
    expect(await rig.listxattr(node)).toEqual(['user.colour']);
    await rig.removexattr(node, 'user.colour');
    expect(await errnoOf(rig.getxattr(node, 'user.colour'))).toBe(ENODATA);
    expect(await errnoOf(rig.getxattr(node, 'security.capability'))).toBe(ENODATA);
    for (const bad of ['security.capability', 'trusted.x', 'system.posix_acl_access', ''])
      expect(await errnoOf(rig.setxattr(node, bad, Buffer.from('x')))).toBe(EOPNOTSUPP);
    const link = await rig.symlink(ROOT, 'link', 'a');
    expect(await errnoOf(rig.setxattr(link.node, 'user.x', Buffer.from('x')))).toBe(E.PERM);
    expect(await rig.listxattr(link.node)).toEqual([]);
  });
});
