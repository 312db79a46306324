/** What cloning asks of a guest: to run a command. Everything that it answers is hostile input. */
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SbxError } from '../../errors.ts';
import { shownText } from '../git/shown-text.ts';

interface RunningCommand extends AsyncDisposable {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  exit: Promise<{ code: number }>;
}

export interface CloneGuest {
  exec(request: { argv: string[]; user: string; stdin: boolean; cwd?: string }): RunningCommand;
}

export interface GuestCommand {
  /** Of sh, with `args` as $1, $2, … */
  script: string;
  args: string[];
  user: 'agent' | 'root';
  input?: Readable | string;
  /** Receives stdout; default: it is collected */
  onOutput?: (output: Readable) => Promise<unknown>;
  /** Most bytes of stdout that are collected; what is above is cut off */
  limitBytes?: number;
  /** A guest that never answers is ended by it */
  signal?: AbortSignal | undefined;
}

const COLLECTED_MAX = 1024 * 1024;
const STDERR_MAX = 2048;

/** @returns stdout. @throws SbxError `guest-failed` with the last words of a script that failed */
export async function runInGuest(guest: CloneGuest, command: GuestCommand): Promise<string> {
  const { script, args, user, input = '', onOutput, limitBytes = COLLECTED_MAX, signal } = command;
  signal?.throwIfAborted();
  await using running = guest.exec({ argv: ['sh', '-c', script, 'sbx', ...args], user, stdin: true, cwd: '/' });
  const exit = running.exit;
  exit.catch(() => {});
  const end = () => void running[Symbol.asyncDispose]();
  signal?.addEventListener('abort', end, { once: true });
  try {
    const [, stdout, stderr] = await Promise.all([
      send(running.stdin, input),
      onOutput?.(running.stdout) ?? collect(running.stdout, limitBytes),
      collect(running.stderr, STDERR_MAX),
    ]);
    const { code } = await exit;
    if (code === 0) return typeof stdout === 'string' ? stdout : '';
    throw new SbxError('guest-failed', 'git failed in the sandbox', {
      why: shownText(stderr.trim()) || `exit code ${code}`,
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

/** A command that ends early says why by its exit code. */
async function send(stdin: Writable, input: Readable | string): Promise<void> {
  stdin.on('error', () => {});
  if (typeof input === 'string') stdin.end(input);
  else await pipeline(input, stdin).catch(() => {});
}

async function collect(output: Readable, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of output as AsyncIterable<Buffer>) {
    if (size < limit) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks).subarray(0, limit).toString();
}
