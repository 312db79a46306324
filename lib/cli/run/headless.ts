/** Runs the agent without a terminal, with its streams and its exit code; the session ends with its client. */
import type { Readable } from 'node:stream';
import { openSession } from '../../guest/client/session-client.ts';
import type { ExecResult } from '../../guest/protocol/messages.ts';
import { forwardSignals } from '../terminal/terminal.ts';
import { sayOutOfMemory } from '../view/out-of-memory.ts';
import { showOutput } from '../view/show-output.ts';
import type { View } from '../view/types.ts';
import { connectGuest, requestBase, type Target } from './sessions.ts';

export interface HeadlessRequest {
  argv: string[];
  /** Text for its stdin, or the caller's own; undefined: empty */
  input: string | NodeJS.ReadStream | undefined;
}

export async function runHeadless(target: Target, request: HeadlessRequest, view: View): Promise<number> {
  await using guest = await connectGuest(target);
  const { sandbox } = target;
  const { argv, input } = request;
  const session = { ...requestBase(sandbox, argv), stdin: input !== undefined, client: 'owner', join: false } as const;
  const child = openSession(guest, session);
  child.stdin.on('error', () => {});
  const output = runOutput(view, process);
  child.opened.then(
    ({ id }) => output.started({ sandbox: sandbox.name, session: id }),
    () => {},
  );
  const release = forwardSignals(child.kill);
  if (typeof input === 'string') child.stdin.end(input);
  else input?.pipe(child.stdin);
  try {
    const [result] = await Promise.all([child.exit, output.follow(child)]);
    if (!view.json) sayOutOfMemory(result);
    output.exit(result);
    return result.code;
  } finally {
    release();
    if (typeof input === 'object') input.unpipe().pause();
  }
}

interface RunOutput {
  started(about: { sandbox: string; session: number }): void;
  /** Resolves when all output was passed on */
  follow(streams: { stdout: Readable; stderr: Readable }): Promise<unknown>;
  exit(result: ExecResult): void;
}

/** The bytes, or with `--json` one line for each event, as `sbx exec` does. */
function runOutput(view: View, process: NodeJS.Process): RunOutput {
  const say = (event: object) => void (view.json && view.line(event, ''));
  return {
    started: (started) => say({ started }),
    follow: ({ stdout, stderr }) =>
      Promise.all([
        showOutput({ from: stdout, to: process.stdout, name: 'stdout', view }),
        showOutput({ from: stderr, to: process.stderr, name: 'stderr', view }),
      ]),
    exit: ({ code, signal, outOfMemory }) =>
      say({
        exit: { code, ...(signal === undefined ? {} : { signal }), ...(outOfMemory === true ? { outOfMemory } : {}) },
      }),
  };
}
