/** Copies a file of the host, with all that the guest sees of it. */
import { isErrno } from '../server/sys/errno.ts';
import { closeFd, readAt, setMode, setTimes, writeAt } from '../server/sys/files.ts';
import { O_RDWR } from '../server/sys/flags.ts';
import type { Stat } from '../server/sys/stat.ts';
import { getXattr, listXattrs, setXattr } from '../server/sys/xattrs.ts';
import type { Layer } from './layer.ts';

const CHUNK = 1024 * 1024;
const USER = 'user.';

interface Source {
  /** Open for reading */
  fd: number;
  stat: Stat;
}

/**
 * Makes a copy in the work folder: content, and extended attributes as far as both file systems have them. Permissions and times come
 * with `finishCopy`: until then every descriptor can be opened that the copy needs.
 * @returns its name there and a descriptor that the caller closes; @throws ENOSPC beyond the layer's bound
 */
export function copyFile(layer: Layer, { fd: from, stat }: Source): { name: string; fd: number } {
  layer.usage.requireEntry();
  layer.usage.grow(stat.size);
  const made = layer.work.makeFile(O_RDWR, 0o600);
  try {
    copyContent(from, made.fd, stat.size);
    copyXattrs(from, made.fd);
    return made;
  } catch (error) {
    closeFd(made.fd);
    layer.work.remove(made.name);
    layer.usage.grow(-stat.size);
    throw error;
  }
}

export function finishCopy(fd: number, { mode, atime, mtime }: Stat): void {
  setMode(fd, mode & 0o777);
  setTimes(fd, atime, mtime);
}

/** Up to `size`, which is accounted for: the host may write on. */
function copyContent(from: number, to: number, size: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size));
  for (let offset = 0; offset < size; ) {
    const length = readAt(from, chunk.subarray(0, size - offset), offset);
    if (length === 0) return;
    for (let written = 0; written < length; ) written += writeAt(to, chunk.subarray(written, length), offset + written);
    offset += length;
  }
}

function copyXattrs(from: number, to: number): void {
  try {
    for (const name of listXattrs(from).toString('latin1').split('\0'))
      if (name.startsWith(USER)) setXattr(to, name, { value: getXattr(from, name), flags: 0 });
  } catch (error) {
    if (!isErrno(error, 'EOPNOTSUPP')) throw error;
  }
}
