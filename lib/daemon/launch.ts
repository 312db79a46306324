/** Finds the user's daemon, or starts it. A daemon of another build is replaced: it owns nothing, the virtual machines go on. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../errors.ts';
import { readHolder } from '../lock.ts';
import { ensurePrivateDir, type Home, socketPath } from '../paths.ts';
import { isAlive, pathWithTools } from '../process.ts';
import type { DaemonStatus } from './api.ts';
import { DaemonClient } from './client.ts';

export interface LaunchOptions {
  home: Home;
  /** Folder of the bundles */
  distDir: string;
  signal?: AbortSignal;
}

const READY_MS = 15_000;

/** A daemon of this build that answers. */
export async function connectDaemon(options: LaunchOptions): Promise<DaemonClient> {
  const client = new DaemonClient(socketPath(options.home.daemon.socket));
  const build = readBuild(options.distDir);
  const running = await statusOf(client);
  if (running?.build === build) return client;
  if (running !== undefined) await replace(client, options.home);
  return start(client, options, build);
}

/** The running daemon, or undefined. */
export async function findDaemon(home: Home): Promise<DaemonClient | undefined> {
  const client = new DaemonClient(socketPath(home.daemon.socket));
  return (await statusOf(client)) === undefined ? undefined : client;
}

/** The same bundles in another folder are another build: a daemon loads parts of its own when it needs them, and its folder may be gone by then. */
export function readBuild(distDir: string): string {
  const { build } = JSON.parse(readFileSync(join(distDir, 'build.json'), 'utf8')) as { build: string };
  return `${build} in ${distDir}`;
}

async function statusOf(client: DaemonClient): Promise<DaemonStatus | undefined> {
  return client.status().catch(() => undefined);
}

async function replace(client: DaemonClient, home: Home): Promise<void> {
  await client.shutdown().catch(() => {});
  for (let tries = 0; tries < 400; tries += 1) {
    const holder = readHolder(home.daemon.lock);
    if (holder === undefined || !isAlive(holder)) return;
    await sleep(25);
  }
}

/** Two commands may start one at the same time: the lock lets one live, both find it. */
async function start(client: DaemonClient, options: LaunchOptions, build: string): Promise<DaemonClient> {
  const { home } = options;
  ensurePrivateDir(home.root);
  ensurePrivateDir(home.daemon.dir);
  const log = openSync(home.daemon.log, 'a', 0o600);
  const child = spawn(process.execPath, [join(options.distDir, 'daemon.js')], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { ...process.env, SBX_HOME: home.root, PATH: pathWithTools(process.env['PATH']) },
  });
  closeSync(log);
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  child.once('error', () => {
    ended = true;
  });
  child.unref();
  const until = Date.now() + READY_MS;
  for (let wait = 5; Date.now() < until; wait = Math.min(wait * 1.5, 50)) {
    options.signal?.throwIfAborted();
    await sleep(wait);
    const status = await statusOf(client);
    if (status?.build === build) return client;
    const holder = readHolder(home.daemon.lock);
    // Ours may have lost the race against another one, which is still starting.
    if (ended && (holder === undefined || !isAlive(holder))) break;
  }
  throw new SbxError('daemon-unreachable', 'the sbx daemon did not start', {
    why: tailOf(home.daemon.log),
    hint: 'see `sbx daemon logs`',
  });
}

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-3).join('\n');
  } catch {
    return 'its log cannot be read';
  }
}
