/** Writes one JSON line for each call of a tool: bounded lines, one rotated file. */
import { appendFileSync, renameSync, statSync } from 'node:fs';

export interface CallRecord {
  time: string;
  server: string;
  tool: string;
  /** `denied`: no such tool, or it is withheld. `error`: the server failed. `failed`: the tool says so itself */
  verdict: 'ok' | 'failed' | 'error' | 'denied';
  durationMs: number;
  /** JSON, cut off */
  arguments: string;
  /** JSON of the result, or the reason of the failure, cut off */
  result: string;
}

/** Suffix of the rotated file */
export const ROTATED = '.1';
const FIELD_MAX = 2_048;
const FILE_MAX = 4 * 1024 * 1024;

/** @throws where it cannot be written: the call MUST NOT be made then. */
export function logCall(path: string, record: CallRecord, fileMax = FILE_MAX): void {
  const line = {
    ...record,
    tool: cut(record.tool, 128),
    arguments: cut(record.arguments),
    result: cut(record.result),
  };
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > fileMax) renameSync(path, `${path}${ROTATED}`);
  appendFileSync(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
}

function cut(text: string, most = FIELD_MAX): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}
