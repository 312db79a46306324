/** Runs programs of the host to their end: argument arrays only, never a shell. */
import { constants } from 'node:os';
import { execa } from 'execa';
import { SbxError } from '../errors.ts';
import { orAbort, within } from './deadline.ts';
import { toolMissing } from './tool-path.ts';

export interface RunOptions {
  cwd?: string;
  /** The whole environment; default: that of this process */
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  /** Milliseconds until SIGKILL, for a tool that has nothing to clean up */
  deadlineMs?: number;
  /** The tool is a process group of its own, which an abort ends as a whole (SIGTERM): for a tool that cleans up after its children */
  group?: boolean;
  /** Called with each line of stdout and stderr */
  onLine?: (line: string) => void;
}

export interface ToolResult {
  /** Exit code; 128 + the signal's number for a killed tool */
  code: number;
  stdout: string;
  /** Last lines of stdout and stderr */
  tail: string[];
}

/** Its stdout is kept, and both outputs are followed; its end is judged here, also after an abort. */
const OUTPUT_ONLY = {
  extendEnv: false,
  stdin: 'ignore',
  all: true,
  buffer: { stdout: true, stderr: false, all: false },
  reject: false,
  cleanup: false,
} as const;

/** Lines kept for the error message of a failed tool */
const TAIL_LINES = 20;

/**
 * Returns the stdout of a tool that succeeds.
 * @throws SbxError `tool-missing` when there is no such program, `image-source` or `no-space` when it fails, `cancelled` on abort and deadline.
 */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await runToEnd(command, args, options);
  if (result.code !== 0) throw toolFailed(command, result);
  return result.stdout;
}

/** Like `run`, for a tool whose exit code is an answer. @throws SbxError `tool-missing`, `cancelled` */
export async function runToEnd(command: string, args: string[], options: RunOptions = {}): Promise<ToolResult> {
  using deadline = options.deadlineMs === undefined ? undefined : within(options.deadlineMs, options.signal);
  const signal = deadline ?? options.signal;
  const child = execa(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? process.env,
    ...OUTPUT_ONLY,
    ...(signal === undefined || options.group === true ? {} : { cancelSignal: signal }),
    detached: options.group === true,
    killSignal: deadline === undefined ? 'SIGTERM' : 'SIGKILL',
  });
  const endGroup = () => killGroup(child.pid);
  if (options.group === true) {
    signal?.addEventListener('abort', endGroup, { once: true });
    if (signal?.aborted) endGroup();
  }
  const tail: string[] = [];
  const follow = async () => {
    for await (const line of child.iterable({ from: 'all' })) {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      options.onLine?.(line);
    }
  };
  const ended = Promise.all([child, follow()]);
  ended.catch(() => {});
  try {
    // execa waits until the pipes close, and a child of the killed tool may hold them open.
    const [result] = await (signal === undefined ? ended : orAbort(ended, signal));
    if (result.exitCode === undefined && result.signal === undefined) throw notStarted(command, result);
    return {
      code: result.exitCode ?? 128 + constants.signals[result.signal ?? 'SIGTERM'],
      stdout: result.stdout,
      tail,
    };
  } catch (error) {
    if (signal?.aborted) throw new SbxError('cancelled', `${command} was cancelled`, { cause: error });
    throw error;
  } finally {
    signal?.removeEventListener('abort', endGroup);
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch {
    // It ended before the signal.
  }
}

function notStarted(command: string, { code, cause }: { code?: string | undefined; cause?: unknown }): unknown {
  return code === 'ENOENT' ? toolMissing(command, cause) : cause;
}

function toolFailed(command: string, { code, tail }: ToolResult): SbxError {
  const text = tail.join('\n');
  // apt uses the second wording.
  if (/no space left on device|enough free space/i.test(text)) {
    return new SbxError('no-space', `${command} found no space left on the disk`, {
      why: tail.at(-1) ?? '',
      hint: 'free some space, for example by `sbx gc --all`',
    });
  }
  return new SbxError('image-source', `${command} failed with exit code ${code}`, {
    why: text,
    hint: 'its last lines are above',
  });
}
