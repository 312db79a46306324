/** Runs the steps of a layer inside a booted guest and keeps their whole output. */
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { SbxError } from '../../errors.ts';
import type { GuestConnection } from '../../guest/client/connection.ts';
import type { BakeStep } from './bake-script.ts';

export interface BakeOptions {
  steps: BakeStep[];
  env: Record<string, string>;
  /** The whole output is written here */
  log: string;
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
  signal: AbortSignal | undefined;
}

const TAIL_LINES = 15;

/** @throws SbxError `bake-failed` with the failing line and the end of its output. */
export async function bake(guest: GuestConnection, options: BakeOptions): Promise<void> {
  const log = createWriteStream(options.log, { mode: 0o600 });
  try {
    for (const step of options.steps) {
      options.signal?.throwIfAborted();
      options.onProgress(step.title);
      log.write(`$ ${step.title}\n`);
      await runStep(guest, step, options, (line) => {
        log.write(`${line}\n`);
        options.onLine(line);
      });
    }
  } finally {
    log.end();
    await finished(log).catch(() => {});
  }
}

async function runStep(
  guest: GuestConnection,
  step: BakeStep,
  options: BakeOptions,
  keep: (line: string) => void,
): Promise<void> {
  const { user = 'root', input } = step;
  const env = { ...options.env, DEBIAN_FRONTEND: 'noninteractive', ...(user === 'root' ? { HOME: '/root' } : {}) };
  const child = guest.exec({ argv: step.argv, cwd: '/', env, user, stdin: input !== undefined });
  if (input !== undefined) child.stdin.end(input);
  const onAbort = () => void child[Symbol.asyncDispose]();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const tail: string[] = [];
  const follow = async (stream: NodeJS.ReadableStream) => {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      keep(line);
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
    }
  };
  try {
    const [exit] = await Promise.all([child.exit, follow(child.stdout), follow(child.stderr)]);
    if (exit.code !== 0) throw bakeFailed(step, exit.code, tail, options.log);
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
  }
}

function bakeFailed(step: BakeStep, code: number, tail: string[], log: string): SbxError {
  const full = tail.some((line) => /no space left on device/i.test(line));
  return new SbxError(
    'bake-failed',
    `the bake failed at ${step.path === undefined ? '' : `${step.path}: `}${step.title}`,
    {
      why: `it ended with exit code ${code}; its last lines:\n${tail.map((line) => `  ${line}`).join('\n')}`,
      hint: full
        ? 'the disk is full: raise [resources] disk, or free space on the host'
        : `the whole output is in ${log} (\`sbx logs --bake\`)`,
    },
  );
}
