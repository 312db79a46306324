/** The agent without a terminal: its streams, its exit code; it ends with its client. */

import type { DaemonClient } from '../../api/client.ts';
import type { SandboxStatus } from '../../api/contract.ts';
import { forwardSignals } from '../terminal/terminal.ts';
import type { View } from '../view/types.ts';
import { runOutput } from './events.ts';
import { connectGuest } from './sessions.ts';

export interface HeadlessRequest {
  argv: string[];
  /** Text for its stdin, or the caller's own; undefined: empty */
  input: string | NodeJS.ReadStream | undefined;
}

export async function runHeadless(
  client: DaemonClient,
  sandbox: SandboxStatus,
  request: HeadlessRequest,
  view: View,
): Promise<number> {
  await using guest = await connectGuest(client, sandbox);
  const { argv, input } = request;
  const { openSession } = await import('../../guest/client/session-client.ts');
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
