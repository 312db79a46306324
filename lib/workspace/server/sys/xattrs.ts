/** System calls on extended attributes of an open file */
import { check, libc } from './libc.ts';
import { cString } from './names.ts';

/** The kernel's limit for a value and for a list of names, in bytes */
const XATTR_SIZE_MAX = 65_536;

export function setXattr(fd: number, name: string, { value, flags }: { value: Buffer; flags: number }): void {
  check(libc().fsetxattr(fd, cString(name), value, value.length, flags));
}

export function getXattr(fd: number, name: string): Buffer {
  const value = Buffer.allocUnsafe(XATTR_SIZE_MAX);
  return value.subarray(0, check(libc().fgetxattr(fd, cString(name), value, value.length)));
}

/** @returns the names, each with a NUL behind it */
export function listXattrs(fd: number): Buffer {
  const names = Buffer.allocUnsafe(XATTR_SIZE_MAX);
  return names.subarray(0, check(libc().flistxattr(fd, names, names.length)));
}

export function removeXattr(fd: number, name: string): void {
  check(libc().fremovexattr(fd, cString(name)));
}
