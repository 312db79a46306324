/** Which server has a guest, and which folders it was given: kept as long as its VM runs. */
import { readFileSync, statSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';

export interface GuestRecord {
  /** Of the server's folder */
  key: string;
  link: string;
  /** Absent in one of an earlier version: nothing is known of them */
  folders?: KnownFolder[];
}

/** A folder as it was when the VM started. */
export interface KnownFolder {
  path: string;
  /** Device and inode */
  id: string;
}

const NAME = /^[0-9a-f]{16}$/;

export function readGuestRecord(file: string): GuestRecord | undefined {
  try {
    const { key, link, folders } = JSON.parse(readFileSync(file, 'utf8')) as GuestRecord;
    if (!NAME.test(key) || !NAME.test(link)) return undefined;
    return { key, link, ...(Array.isArray(folders) ? { folders } : {}) };
  } catch {
    return undefined;
  }
}

export function writeGuestRecord(file: string, record: GuestRecord): void {
  writeFileAtomic.sync(file, JSON.stringify(record), { mode: 0o600 });
}

/** @throws when it is gone */
export function folderId(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}
