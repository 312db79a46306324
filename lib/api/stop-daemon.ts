/** Ends the user's daemon, also one that does not answer any more: it owns nothing, the VMs continue. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../errors.ts';
import type { Home } from '../paths.ts';
import type { Consent } from '../plan/loss.ts';
import { readHolder } from '../system/file-lock.ts';
import { isAlive } from '../system/process-identity.ts';
import type { DaemonClient } from './client.ts';

const LOOK_MS = 20;
/** A daemon that was asked ends the step under way first */
const ASKED_MS = 8_000;
const TOLD_MS = 8_000;
const KILLED_MS = 2_000;

interface Ending extends Consent {
  home: Home;
}

/** False: there was none. @throws SbxError `needs-confirmation` when clients work through it, `daemon-unreachable` when it cannot be ended. */
export async function endDaemon(client: DaemonClient, { home, ...confirmation }: Ending): Promise<boolean> {
  const holder = readHolder(home.daemon.lock);
  const asked = await answered(client.shutdown(confirmation));
  if (holder === undefined || !isAlive(holder)) return asked;
  if (asked && (await gone(holder, ASKED_MS))) return true;
  for (const [signal, ms] of [
    ['SIGTERM', TOLD_MS],
    ['SIGKILL', KILLED_MS],
  ] as const) {
    if (!isAlive(holder)) return true;
    try {
      process.kill(holder.pid, signal);
    } catch (error) {
      throw new SbxError('daemon-unreachable', 'the sbx daemon cannot be ended', {
        why: error instanceof Error ? error.message : String(error),
        hint: `end process ${holder.pid} by hand`,
        cause: error,
      });
    }
    if (await gone(holder, ms)) return true;
  }
  throw new SbxError('daemon-unreachable', 'the sbx daemon does not end', {
    why: `process ${holder.pid} is still there`,
    hint: 'see `sbx daemon logs`',
  });
}

/** One that does not answer serves no client. */
async function answered(request: Promise<unknown>): Promise<boolean> {
  const silent = sleep(ASKED_MS, false, { ref: false });
  const answer = request.then(
    () => true,
    (error: unknown) => {
      if (isRefusal(error)) throw error;
      return false;
    },
  );
  return Promise.race([answer, silent]);
}

export function isRefusal(error: unknown): error is SbxError {
  return error instanceof SbxError && error.code === 'needs-confirmation';
}

async function gone(holder: { pid: number; startTime: string }, ms: number): Promise<boolean> {
  for (const until = Date.now() + ms; Date.now() < until; await sleep(LOOK_MS)) if (!isAlive(holder)) return true;
  return !isAlive(holder);
}
