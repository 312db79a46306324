/** Shows the lines of a log file, and new ones as they are written. */
import { statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../../errors.ts';
import { showsColours } from '../view/drawing.ts';
import { printable } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import { endOnSignal } from './interrupt.ts';

const POLL_MS = 200;

export interface LogFlags {
  follow: boolean;
  lines?: number;
}

/** @throws SbxError `not-found` */
export async function showLog(path: string, flags: LogFlags, view: View): Promise<number> {
  if (statSync(path, { throwIfNoEntry: false }) === undefined && !flags.follow)
    throw new SbxError('not-found', 'the log does not exist yet', {
      why: `${path} does not exist`,
      hint: 'it is written by the first `sbx apply`',
    });
  using _signals = endOnSignal();
  // Also into a pipe, which often ends on a terminal.
  for await (const line of readLines(path, flags))
    view.line({ line }, printable(line.replace(/\r+$/, ''), { colours: showsColours(process.stdout, process.env) }));
  return 0;
}

/** Lines without their ends (LF, or CR LF of a console). Ends at the end of the file unless it follows. Survives truncation and replacement. */
async function* readLines(path: string, { lines: last, follow }: LogFlags): AsyncGenerator<string> {
  let position = 0;
  let rest = '';
  let first = true;
  let inode: number | undefined;
  while (true) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && (found.size < position || (inode !== undefined && found.ino !== inode))) position = 0;
    inode = found?.ino;
    if (found !== undefined && found.size > position) {
      const text = rest + (await readFrom(path, position, found.size));
      position = found.size;
      const lines = text.split(/\r?\n/);
      rest = lines.pop() ?? '';
      yield* first && last !== undefined ? lines.slice(-last) : lines;
    }
    first = false;
    if (!follow) break;
    await sleep(POLL_MS);
  }
  if (rest !== '') yield rest;
}

async function readFrom(path: string, from: number, to: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(to - from);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
