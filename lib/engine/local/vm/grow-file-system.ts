/** Grows the file system of a running guest to the size of its disk. */
import type { Readable } from 'node:stream';
import { SbxError } from '../../../errors.ts';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { within } from '../../../system/deadline.ts';
import GROW_ROOT from './grow-root.sh';

/** Some seconds for the largest disks; a host under load takes several times as long */
const GROW_MS = 120_000;
/** Kept of its words, in characters */
const SAID_MAX = 4096;

export interface FileSystemGrowth {
  /** The sandbox */
  name: string;
  /** Size of the disk */
  bytes: number;
  signal: AbortSignal;
}

/** Only what the guest says of itself is at stake: its root can prevent it. @throws SbxError `guest-failed` */
export async function growFileSystem(
  guest: Pick<GuestConnection, 'exec'>,
  { name, bytes, signal }: FileSystemGrowth,
): Promise<void> {
  const argv = ['/opt/sbx/bin/busybox', 'sh', '-c', GROW_ROOT, 'grow-root', String(bytes)];
  const child = guest.exec({ argv, cwd: '/', user: 'root', stdin: false });
  using limit = within(GROW_MS, signal);
  // A guest that answers no more is not waited for.
  const onAbort = () => void child[Symbol.asyncDispose]();
  limit.addEventListener('abort', onAbort, { once: true });
  if (limit.aborted) onAbort();
  try {
    const [{ code }, said] = await Promise.all([child.exit, endOf(child.stderr), endOf(child.stdout)]);
    if (code !== 0) throw notGrown(name, said.trim().split('\n').at(-1));
  } catch (error) {
    signal.throwIfAborted();
    throw limit.aborted ? notGrown(name, 'it takes too long') : error;
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

function notGrown(name: string, why: string | undefined): SbxError {
  return new SbxError('guest-failed', `the disk of ${name} is larger now, but not its file system`, {
    ...(why ? { why } : {}),
    hint: `run \`sbx restart ${name}\`, which grows it as it boots, then \`sbx apply\``,
  });
}
