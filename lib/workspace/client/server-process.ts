/** Starts, finds and ends the process of a workspace server; it outlives its creator. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, SbxError } from '../../errors.ts';
import type { WorkspacePaths } from '../../paths.ts';
import { isAlive, startTimeOf } from '../../system/process-identity.ts';
import { toolMissing } from '../../system/tool-path.ts';
import { serverCode } from './server-code.ts';
import { type JailFolder, serverCommand } from './server-jail.ts';

export interface ServerProcess {
  /** Process 1 of the jail's pid namespace: killing it ends all of the server */
  pid: number;
  startTime: string;
}

export interface Launch {
  paths: WorkspacePaths;
  folders: JailFolder[];
  /** Folder of the bundles */
  distDir: string;
  bwrap: string;
}

const INFO_FD = 3;
const LOG_MAX = 1 << 20;
const START_MS = 20_000;

/** @throws SbxError `workspace` with the server's last words. */
export async function startServer({ paths, folders, distDir, bwrap }: Launch): Promise<ServerProcess> {
  mkdirSync(paths.links, { recursive: true, mode: 0o700 });
  rmSync(paths.process, { force: true });
  const isLong = (statSync(paths.log, { throwIfNoEntry: false })?.size ?? 0) > LOG_MAX;
  const log = openSync(paths.log, isLong ? 'w' : 'a', 0o600);
  const info = openSync(paths.process, 'w', 0o600);
  const args = serverCommand({
    folders,
    shared: paths.shared,
    ...serverCode(distDir),
    node: process.execPath,
    marker: markerOf(paths),
    build: buildOf(distDir),
    ownerRights: !isSetuid(bwrap),
    infoFd: INFO_FD,
  });
  try {
    // spawn, since the server outlives this process.
    const child = spawn(bwrap, args, { stdio: ['ignore', log, log, info], detached: true, cwd: '/' });
    const failed = new Promise<Error>((resolve) => child.once('error', resolve));
    const ended = new Promise<'ended'>((resolve) => child.once('exit', () => resolve('ended')));
    child.unref();
    return await untilStarted(paths, failed, ended, bwrap);
  } finally {
    closeSync(log);
    closeSync(info);
  }
}

/** As a set-user-id program, bubblewrap gives no capabilities. */
function isSetuid(program: string): boolean {
  return process.getuid?.() !== 0 && ((statSync(program, { throwIfNoEntry: false })?.mode ?? 0) & 0o4000) !== 0;
}

/** The running server of these paths, or undefined. */
export function findServer(paths: WorkspacePaths): ServerProcess | undefined {
  try {
    const first = readFileSync(paths.process, 'utf8').split('\n')[0] ?? '';
    const pid = (JSON.parse(first) as { 'child-pid': number })['child-pid'];
    const startTime = startTimeOf(pid);
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return startTime !== undefined && args.includes(markerOf(paths)) ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}

/** False for one that an earlier version of sbx started. */
export function isOfBuild({ pid }: ServerProcess, distDir: string): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(buildOf(distDir));
}

function buildOf(distDir: string): string {
  return (JSON.parse(readFileSync(join(distDir, 'build.json'), 'utf8')) as { build: string }).build;
}

/** Returns when it has ended; no error when it has already. */
export async function endServer(paths: WorkspacePaths): Promise<void> {
  const server = findServer(paths);
  while (server !== undefined && isAlive(server)) {
    kill(server.pid);
    await sleep(5);
  }
}

/**
 * Ends the servers below a folder whose keys are not used. They are found by their command lines, also when their own folders were removed.
 */
export function endStrays(workspaces: string, isUsed: (key: string) => boolean): void {
  const prefix = markerOf({ dir: `${workspaces}/` });
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const marker = argumentsOf(pid).find((one) => one.startsWith(prefix));
    if (marker !== undefined && !isUsed(marker.slice(prefix.length))) kill(Number(pid));
  }
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended before the signal.
  }
}

function markerOf({ dir }: Pick<WorkspacePaths, 'dir'>): string {
  return `sbx-workspace:${dir}`;
}

async function untilStarted(
  paths: WorkspacePaths,
  failed: Promise<Error>,
  ended: Promise<'ended'>,
  bwrap: string,
): Promise<ServerProcess> {
  for (const until = Date.now() + START_MS; Date.now() < until; ) {
    const server = findServer(paths);
    if (server !== undefined) return server;
    const event = await Promise.race([failed, ended, sleep(2)]);
    if (event instanceof Error) throw errnoOf(event) === 'ENOENT' ? toolMissing(bwrap, event) : event;
    if (event === 'ended') break;
  }
  throw notStarted(paths);
}

export function notStarted(paths: WorkspacePaths): SbxError {
  return new SbxError('workspace', 'the workspace server did not start', {
    why: tailOf(paths.log),
    hint: `see ${paths.log}`,
  });
}

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)?.slice(-500) ?? '';
  } catch {
    return 'it wrote nothing';
  }
}
