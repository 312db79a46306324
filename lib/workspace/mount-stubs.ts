/** Removes the empty files and folders that earlier builds made in workspaces, to cover names that were missing. */
import { lstatSync, readdirSync, readFileSync, rmdirSync, unlinkSync } from 'node:fs';

interface MountStub {
  /** Absolute */
  path: string;
  kind: 'dir' | 'file';
  content: string;
  /** Milliseconds; noted before it was made */
  plannedAt: number;
  /** Which file it is: device, inode, time of birth. Missing when the maker was killed in between. */
  identity?: string;
}

/** Times of a file system are coarser than the clock */
const CLOCK_SLACK_MS = 50;

/** Removes those that are still as they were made, and the record. No error when there is none. */
export function removeMountStubs(recordFile: string): void {
  for (const stub of readStubs(recordFile).toReversed()) {
    try {
      if (!isUntouched(stub)) continue;
      if (stub.kind === 'dir') rmdirSync(stub.path);
      else unlinkSync(stub.path);
    } catch {
      // It is gone, or in use by another program, which owns it now.
    }
  }
  try {
    unlinkSync(recordFile);
  } catch {
    // There was none.
  }
}

/** Ours and empty as on the first day: an inode's number alone may have been given to another file since. */
function isUntouched({ path, kind, content, identity, plannedAt }: MountStub): boolean {
  const found = lstatSync(path, { bigint: true });
  const isOurs =
    identity === undefined
      ? Number(found.birthtimeMs) >= plannedAt - CLOCK_SLACK_MS
      : identity === `${found.dev}:${found.ino}:${found.birthtimeNs}`;
  if (!isOurs) return false;
  if (kind === 'dir') return found.isDirectory() && readdirSync(path).length === 0;
  return found.isFile() && Number(found.size) === content.length && readFileSync(path, 'utf8') === content;
}

function readStubs(recordFile: string): MountStub[] {
  try {
    return JSON.parse(readFileSync(recordFile, 'utf8')) as MountStub[];
  } catch {
    return [];
  }
}
