/** Result and headers of a copy, shared by both directions. */
import type tar from 'tar-stream';

export interface CopyResult {
  /** Files, folders and links written */
  entries: number;
  /** Total size of the files' content */
  bytes: number;
  /** Entries that were left out, the first `MAX_SKIPPED` */
  skipped: { name: string; why: string }[];
}

/** How far a copy is, updated while it runs */
export interface Meter {
  /** Bytes of the archive that have passed */
  moved: number;
  /** Bytes in all; undefined while that is unknown */
  total: number | undefined;
  /** Entries that are complete, of a copy out of the sandbox */
  entries: number;
}

export type Header = Partial<tar.Header> & Pick<tar.Header, 'name'>;

export const MAX_SKIPPED = 100;

export function emptyResult(): CopyResult {
  return { entries: 0, bytes: 0, skipped: [] };
}

export function newMeter(): Meter {
  return { moved: 0, total: undefined, entries: 0 };
}

export function skip(result: CopyResult, name: string, why: string): void {
  if (result.skipped.length < MAX_SKIPPED) result.skipped.push({ name: name.slice(0, 1024), why });
}
