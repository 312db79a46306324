/** Runs a script of sbx as root in a guest, which may answer no more. */
import type { Readable } from 'node:stream';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { within } from '../../../system/deadline.ts';

/** Kept of its words, in characters */
const SAID_MAX = 4096;

export interface GuestScript {
  /** For the guest's busybox: `sh -c …` */
  argv: string[];
  /** Milliseconds */
  timeoutMs: number;
  signal: AbortSignal;
}

/** Undefined, or the reason why it failed, which may be empty. @throws the reason of `signal`, and errors of the connection */
export async function guestScript(
  guest: Pick<GuestConnection, 'exec'>,
  { argv, timeoutMs, signal }: GuestScript,
): Promise<string | undefined> {
  const child = guest.exec({ argv: ['/opt/sbx/bin/busybox', ...argv], cwd: '/', user: 'root', stdin: false });
  using limit = within(timeoutMs, signal);
  // A guest that answers no more is not waited for.
  const onAbort = () => void child[Symbol.asyncDispose]();
  limit.addEventListener('abort', onAbort, { once: true });
  if (limit.aborted) onAbort();
  try {
    const [{ code }, said] = await Promise.all([child.exit, endOf(child.stderr), endOf(child.stdout)]);
    return code === 0 ? undefined : (said.trim().split('\n').at(-1) ?? '');
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return 'it takes too long';
    throw error;
  } finally {
    limit.removeEventListener('abort', onAbort);
  }
}

/** The last of what the guest says, which may be endless. */
async function endOf(stream: Readable): Promise<string> {
  let last = '';
  for await (const chunk of stream) last = `${last}${chunk}`.slice(-SAID_MAX);
  return last;
}
