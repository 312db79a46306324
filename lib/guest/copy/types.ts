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

export type Header = Partial<tar.Header> & Pick<tar.Header, 'name'>;

export const MAX_SKIPPED = 100;

export function emptyResult(): CopyResult {
  return { entries: 0, bytes: 0, skipped: [] };
}

export function skip(result: CopyResult, name: string, why: string): void {
  if (result.skipped.length < MAX_SKIPPED) result.skipped.push({ name: name.slice(0, 1024), why });
}
