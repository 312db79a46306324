/** Runs the agent without a terminal, with its streams and its exit code; the session ends with its client. */
import { openSession } from '../../guest/client/session-client.ts';
import { forwardSignals } from '../terminal/terminal.ts';
import type { View } from '../view/types.ts';
import { runOutput } from './events.ts';
import { connectGuest, type Target } from './sessions.ts';

export interface HeadlessRequest {
  argv: string[];
  /** Text for its stdin, or the caller's own; undefined: empty */
  input: string | NodeJS.ReadStream | undefined;
}

export async function runHeadless(target: Target, request: HeadlessRequest, view: View): Promise<number> {
  await using guest = await connectGuest(target);
  const { sandbox } = target;
  const { argv, input } = request;
  const session = { argv, cwd: sandbox.workspace, stdin: input !== undefined, client: 'owner', join: false } as const;
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
    output.exit(result);
    return result.code;
  } finally {
    release();
    if (typeof input === 'object') input.unpipe().pause();
  }
}
