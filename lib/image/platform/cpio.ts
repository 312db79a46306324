/** Writes the kernel's initramfs format (cpio "newc"): sorted, root-owned, without times, so that equal input gives equal bytes. */

export interface CpioEntry {
  /** Without a leading slash */
  path: string;
  /** Permission bits; the type comes from the kind of content */
  mode: number;
  /** A folder has none; a symlink's is its target */
  content?: Buffer;
  type: 'dir' | 'file' | 'symlink';
}

const TYPE_BITS = { dir: 0o040000, file: 0o100000, symlink: 0o120000 } as const;

export function cpio(entries: CpioEntry[]): Buffer {
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.map((entry, index) =>
    record(entry.path, TYPE_BITS[entry.type] | entry.mode, index + 1, entry.content ?? Buffer.alloc(0)),
  );
  return Buffer.concat([...parts, record('TRAILER!!!', 0, 0, Buffer.alloc(0))]);
}

function record(path: string, mode: number, inode: number, content: Buffer): Buffer {
  const name = Buffer.from(`${path}\0`);
  // magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([padded(Buffer.concat([header, name])), padded(content)]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
