/** Reads and filters the audit log: the rotated file, then the current one, then new records as they arrive. */

import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';
import { canonicalHost } from '../address/canonical-host.ts';
import { coversAddress, coversName, parsePattern } from '../policy/pattern.ts';
import type { AuditRecord } from '../policy/types.ts';
import { ROTATED } from './audit.ts';

export interface AuditReading {
  /** Continues until the signal is aborted; otherwise ends with the last record */
  follow: boolean;
  signal: AbortSignal;
  wanted?: (record: AuditRecord) => boolean;
  /** Maximum number of existing records to return */
  last?: number | undefined;
}

const POLL_MS = 200;
const CHUNK = 256 * 1024;

/** Skips malformed lines. A rotation while reading neither loses nor repeats records. */
export async function* readAudit(path: string, options: AuditReading): AsyncGenerator<AuditRecord> {
  const { signal, wanted = () => true, last = Number.POSITIVE_INFINITY } = options;
  // Opened before the older file is read, so that a rotation in between changes nothing.
  let file = await openReader(path);
  try {
    const kept: AuditRecord[] = [];
    for await (const record of present(path, file)) {
      if (!wanted(record)) continue;
      kept.push(record);
      if (kept.length > last) kept.shift();
      else if (last === Number.POSITIVE_INFINITY) yield* kept.splice(0);
    }
    yield* kept;
    while (options.follow && !signal.aborted) {
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
      const replaced = file !== undefined && (await isReplaced(path, file));
      if (file !== undefined) yield* (await file.records()).filter(wanted);
      if (replaced) await file?.close();
      if (replaced || file === undefined) file = await openReader(path);
    }
  } finally {
    await file?.close();
  }
}

async function* present(path: string, current: RecordFile | undefined): AsyncGenerator<AuditRecord> {
  const older = await openReader(`${path}${ROTATED}`);
  try {
    if (older !== undefined && older.inode !== current?.inode) yield* await older.records();
  } finally {
    await older?.close();
  }
  if (current !== undefined) yield* await current.records();
}

interface RecordFile {
  readonly inode: number;
  /** All records since the last call */
  records(): Promise<AuditRecord[]>;
  close(): Promise<void>;
}

/** Undefined: the file does not exist (yet). */
async function openReader(path: string): Promise<RecordFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const buffer = Buffer.alloc(CHUNK);
  let rest = '';
  return {
    inode: (await handle.stat()).ino,
    async records() {
      const found: AuditRecord[] = [];
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK, null);
        if (bytesRead === 0) return found;
        // Lines are ASCII, so no chunk boundary splits a character.
        const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
        rest = lines.pop() ?? '';
        found.push(...lines.flatMap(parsed));
      }
    },
    close: () => handle.close(),
  };
}

async function isReplaced(path: string, file: RecordFile): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  return there !== undefined && there.ino !== file.inode;
}

function parsed(line: string): AuditRecord[] {
  try {
    const value = JSON.parse(line) as AuditRecord | null;
    return typeof value === 'object' && value !== null && typeof value.host === 'string' ? [value] : [];
  } catch {
    return [];
  }
}

export interface AuditFilter {
  /** Only requests that are denied, or would be in mode `enforce` */
  denied: boolean;
  /** `host`, `*.host`, `**.host`, an address or CIDR, each with an optional port */
  host?: string | undefined;
}

/** Undefined: `host` is malformed. */
export function auditFilter({ denied, host }: AuditFilter): ((record: AuditRecord) => boolean) | undefined {
  const pattern = host === undefined ? undefined : parsePattern(host.toLowerCase());
  if (host !== undefined && pattern === undefined) return undefined;
  return (record) => {
    if (denied && record.verdict !== 'deny' && record.verdict !== 'observe') return false;
    if (pattern === undefined) return true;
    const { ports } = pattern;
    if (ports !== undefined && (record.port < ports.from || record.port > ports.to)) return false;
    const named = canonicalHost(record.host.includes(':') ? `[${record.host}]` : record.host);
    const addresses = [...(named?.kind === 'address' ? [named.host] : []), ...(record.address ? [record.address] : [])];
    return (
      (named?.kind === 'name' && coversName(pattern, named.host)) ||
      addresses.some((address) => coversAddress(pattern, address))
    );
  };
}
