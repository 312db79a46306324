/** Runs tools of the host: argument arrays only, output by lines, errors that name the tool and its last output. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { createInterface } from 'node:readline';
import { errnoOf, SbxError } from '../errors.ts';

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Written to stdin, which is empty otherwise */
  input?: string;
  signal?: AbortSignal | undefined;
  /** Called for each line of stdout and stderr as it arrives */
  onLine?: (line: string) => void;
}

/** Lines kept for the error message of a failed tool */
const TAIL_LINES = 20;

/** Adds the folders of `depmod` and `mke2fs`, which need no root but are often missing from the PATH of an ordinary user. */
export function pathWithTools(path: string | undefined): string {
  const dirs = (path ?? '').split(delimiter).filter((dir) => dir !== '');
  return [...new Set([...dirs, '/usr/sbin', '/sbin'])].join(delimiter);
}

/**
 * Runs a tool to its end and returns its stdout.
 * @throws SbxError `tool-missing` when there is no such program, `image-source` when it fails, `cancelled` on abort.
 */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    signal: options.signal,
  });
  const out: string[] = [];
  const tail: string[] = [];
  const collect = async (stream: NodeJS.ReadableStream | null, keep: boolean) => {
    if (stream === null) return;
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (keep) out.push(line);
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      options.onLine?.(line);
    }
  };
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15)));
  });
  try {
    const [code] = await Promise.all([ended, collect(child.stdout, true), collect(child.stderr, false)]);
    if (code !== 0) throw toolFailed(command, code, tail);
    return out.join('\n');
  } catch (error) {
    throw explain(error, command, options.signal);
  }
}

function explain(error: unknown, command: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return new SbxError('cancelled', `${command} was cancelled`, { cause: error });
  if (errnoOf(error) === 'ENOENT') return toolMissing(command, error);
  return error;
}

export function toolMissing(command: string, cause?: unknown): SbxError {
  return new SbxError('tool-missing', `${command} is not installed`, {
    why: `${command} was not found on the PATH`,
    hint: 'run `sbx doctor --fix`',
    cause,
  });
}

function toolFailed(command: string, code: number, tail: string[]): SbxError {
  const text = tail.join('\n');
  // The second is apt's wording.
  if (/no space left on device|enough free space/i.test(text)) {
    return new SbxError('no-space', `no space left on the disk for ${command}`, {
      why: tail.at(-1) ?? '',
      hint: 'free some space, for example by `sbx gc`',
    });
  }
  return new SbxError('image-source', `${command} failed with exit code ${code}`, {
    why: text,
    hint: 'read its last lines of output above',
  });
}

/** Start time of a process in clock ticks since boot, from /proc/PID/stat: with the pid it identifies a process uniquely. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not reaped it yet.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function isAlive(process_: { pid: number; startTime: string }): boolean {
  return startTimeOf(process_.pid) === process_.startTime;
}
