/** Starts the user's daemon. One of another build is replaced: it owns nothing, the VMs continue. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../errors.ts';
import { ensurePrivateDir, type Home } from '../paths.ts';
import { readHolder } from '../system/file-lock.ts';
import { isAlive } from '../system/process-identity.ts';
import { pathWithTools } from '../system/tool-path.ts';
import { DaemonClient } from './client.ts';
import { running } from './connection.ts';
import { endDaemon } from './stop-daemon.ts';

export interface StartDaemonOptions {
  home: Home;
  /** Folder of the bundles */
  distDir: string;
  build: string;
}

const READY_MS = 15_000;

/** Resolves when a daemon of this build answers. */
export async function startDaemon(options: StartDaemonOptions): Promise<void> {
  const { home, build } = options;
  const client = new DaemonClient(running(home));
  const found = await client.status().catch(() => undefined);
  if (found?.build === build) return;
  if (found !== undefined) await endDaemon(client, home);
  ensurePrivateDir(home.root);
  ensurePrivateDir(home.daemon.dir);
  const until = Date.now() + READY_MS;
  let child: { ended: boolean } | undefined;
  for (let wait = 5; Date.now() < until; wait = Math.min(wait * 1.5, 50)) {
    // Two commands may start one at the same time: the lock lets one live, both find it. One that was ending may have held the lock.
    if (child === undefined || (child.ended && !isHeld(home))) child = launch(options);
    await sleep(wait);
    if ((await client.status().catch(() => undefined))?.build === build) return;
  }
  throw new SbxError('daemon-unreachable', 'the sbx daemon did not start', {
    why: tailOf(home.daemon.log),
    hint: 'see `sbx daemon logs`; `sbx daemon stop` ends one that hangs',
  });
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

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-3).join('\n');
  } catch {
    return 'its log cannot be read';
  }
}
