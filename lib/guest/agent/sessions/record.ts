/**
 * Keeps the last output of a session: in memory for clients that join, on the sandbox's own disk for the time after a restart. When the disk
 * is full, only the copy there is lost.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SessionInfo } from '../../protocol/messages.ts';
import { TerminalModes } from '../../protocol/terminal-modes.ts';
import { Ring } from './ring.ts';

/** Most bytes of output kept in memory; on disk up to twice as many */
const KEPT_BYTES = 1024 ** 2;

export type RecordInfo = Omit<SessionInfo, 'clients'>;

export class SessionRecord {
  readonly ring: Ring;
  /** Terminal modes at the beginning of the ring */
  readonly modes = new TerminalModes();
  readonly #dir: string;
  #info: RecordInfo;
  #written = 0;
  #onDisk = true;

  constructor(dir: string, info: RecordInfo) {
    this.#dir = dir;
    this.#info = info;
    this.ring = new Ring(KEPT_BYTES, (bytes) => info.terminal && this.modes.feed(bytes));
    this.#toDisk(() => {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      this.#save();
    });
  }

  get info(): RecordInfo {
    return this.#info;
  }

  /** All output that is kept */
  output(): Buffer {
    return this.ring.read(this.ring.start, KEPT_BYTES);
  }

  push(data: Buffer): void {
    this.ring.push(data);
    this.#toDisk(() => {
      const { log, older } = filesOf(this.#dir, this.#info.id);
      if (this.#written >= KEPT_BYTES) {
        renameSync(log, older);
        this.#written = 0;
      }
      appendFileSync(log, data, { mode: 0o600 });
      this.#written += data.length;
    });
  }

  end(result: Pick<SessionInfo, 'code' | 'signal'>): void {
    this.#info = { ...this.#info, ...result, endedAt: new Date().toISOString() };
    this.#toDisk(() => this.#save());
  }

  #save(): void {
    const { info } = filesOf(this.#dir, this.#info.id);
    writeFileSync(`${info}.new`, JSON.stringify(this.#info), { mode: 0o600 });
    renameSync(`${info}.new`, info);
  }

  #toDisk(work: () => void): void {
    if (!this.#onDisk) return;
    try {
      work();
    } catch {
      this.#onDisk = false;
    }
  }
}

/** Returns the records on disk, the oldest first. One without an end is marked as lost. */
export function readRecords(dir: string): RecordInfo[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => /^\d{1,9}\.json$/.test(name))
    .flatMap((name): RecordInfo[] => {
      try {
        const info = JSON.parse(readFileSync(join(dir, name), 'utf8')) as RecordInfo;
        return [info.endedAt === undefined ? { ...info, lost: true } : info];
      } catch {
        return [];
      }
    })
    .toSorted((a, b) => a.id - b.id);
}

export function readOutput(dir: string, id: number): Buffer {
  const { log, older } = filesOf(dir, id);
  return Buffer.concat([older, log].filter((file) => existsSync(file)).map((file) => readFileSync(file)));
}

export function removeRecord(dir: string, id: number): void {
  const { info, log, older } = filesOf(dir, id);
  for (const file of [info, `${info}.new`, older, log]) rmSync(file, { force: true });
}

function filesOf(dir: string, id: number): { info: string; log: string; older: string } {
  return { info: join(dir, `${id}.json`), log: join(dir, `${id}.log`), older: join(dir, `${id}.older.log`) };
}
