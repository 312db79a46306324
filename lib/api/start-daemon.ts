/** Starts the user's daemon. One of another build is replaced unless clients work through it: it owns nothing, the VMs continue. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../errors.ts';
import { ensurePrivateDir, type Home } from '../paths.ts';
import { readHolder } from '../system/file-lock.ts';
import { isAlive } from '../system/process-identity.ts';
import { pathWithTools } from '../system/tool-path.ts';
import { DaemonClient } from './client.ts';
import { type LaunchOptions, running } from './connection.ts';
import { API_VERSION, type DaemonStatus } from './contract.ts';
import { endDaemon, isRefusal } from './stop-daemon.ts';

export interface StartDaemonOptions extends LaunchOptions {
  build: string;
}

const READY_MS = 15_000;

/** Resolves to the build of the daemon that answers. @throws SbxError `needs-confirmation`: one of another API is in use. */
export async function startDaemon(options: StartDaemonOptions): Promise<string> {
  const { home, build, say } = options;
  const client = new DaemonClient(running(home));
  const found = await client.status().catch(() => undefined);
  if (found?.build === build) return build;
  if (found !== undefined) {
    const why = await endUnlessUsed(client, { home, found });
    say(why === undefined ? 'the daemon of another build was replaced' : `${why}; to update it now: ${NOW}`);
    if (why !== undefined) return found.build;
  }
  ensurePrivateDir(home.root);
  ensurePrivateDir(home.daemon.dir);
  const until = Date.now() + READY_MS;
  const logged = sizeOf(home.daemon.log);
  let child: { ended: boolean } | undefined;
  for (let wait = 5; Date.now() < until; wait = Math.min(wait * 1.5, 50)) {
    // Two commands may start one at the same time: the lock lets one live, both find it. One that was ending may have held the lock.
    if (child === undefined || (child.ended && !isHeld(home))) child = launch(options);
    await sleep(wait);
    if ((await client.status().catch(() => undefined))?.build === build) return build;
  }
  throw new SbxError('daemon-unreachable', 'the sbx daemon did not start', {
    why: tailOf(home.daemon.log, logged),
    hint: 'see `sbx daemon logs`; `sbx daemon stop` ends one that hangs',
  });
}

const NOW = '`sbx daemon stop --yes`';

/** Ends the daemon, or says why it must not end yet. */
async function endUnlessUsed(
  client: DaemonClient,
  { home, found }: { home: Home; found: DaemonStatus },
): Promise<string | undefined> {
  try {
    await endDaemon(client, { home });
    return undefined;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (found.apiVersion === API_VERSION)
      return `the daemon of another build stays for now: ${error.why ?? error.message}`;
    throw new SbxError('needs-confirmation', 'the daemon of another build is in use, and this build cannot use it', {
      why: error.why ?? error.message,
      hint: `wait until it is done, or run ${NOW}`,
      cause: error,
    });
  }
}

function isHeld(home: Home): boolean {
  const holder = readHolder(home.daemon.lock);
  return holder !== undefined && isAlive(holder);
}

/** Each holds one lookup of a name, however slow; a sandbox has a few of them at a time */
const THREADS = '32';

function launch({ home, distDir }: StartDaemonOptions): { ended: boolean } {
  const log = openSync(home.daemon.log, 'a', 0o600);
  const child = spawn(process.execPath, [join(distDir, 'daemon.js')], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { ...process.env, PATH: pathWithTools(process.env['PATH']), SBX_HOME: home.root, UV_THREADPOOL_SIZE: THREADS },
  });
  closeSync(log);
  const state = { ended: false };
  const end = () => {
    state.ended = true;
  };
  child.once('exit', end).once('error', end);
  child.unref();
  return state;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Its last lines beyond `from`: those before are of an earlier daemon, whose end may have had another reason. */
function tailOf(file: string, from: number): string {
  try {
    // A smaller one is new: the daemon has put the full one aside.
    const text = readFileSync(file).subarray(sizeOf(file) < from ? 0 : from);
    return text.toString('utf8').trimEnd().split('\n').slice(-3).join('\n') || 'it wrote nothing to its log';
  } catch {
    return 'its log cannot be read';
  }
}
