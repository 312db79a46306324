/** The daemon's process: one for each state folder, started on demand. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBuild } from '../api/ensure-daemon.ts';
import { readRegistries } from '../config/registries/read-registries.ts';
import { prepareAuthority } from '../gateway/tls/authority.ts';
import { openLog } from '../log.ts';
import { ensurePrivateDir, type Home, homeOf } from '../paths.ts';
import { readHolder, tryLock } from '../system/file-lock.ts';
import { readGuestFolders } from '../system/guest-folders.ts';
import { checkOwnFolder } from '../system/own-folder.ts';
import { safePath } from '../system/tool-path.ts';
import { serve } from './server.ts';
import { createService, type ServiceOptions } from './service.ts';

/** How long an ending daemon waits for the step under way */
const END_MS = 5_000;
/** The request that started the daemon is served first */
const AUTHORITY_AFTER_MS = 1_000;
/** Between checks that the state folder is still this daemon's */
const CHECK_MS = 5_000;

async function main(): Promise<void> {
  process.umask(0o077);
  const home = homeOf();
  checkOwnFolder(home.root);
  process.env['PATH'] = safePath(process.env['PATH'], readGuestFolders(home.guestFolders));
  ensurePrivateDir(home.root);
  ensurePrivateDir(home.daemon.dir);
  const log = openLog(home.daemon.log);
  const lock = tryLock(home.daemon.lock) ?? tryLock(home.daemon.lock);
  if (lock === undefined) {
    log.info('another daemon serves this folder already');
    return;
  }
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const service = await openService({ home, log, onShutdown: () => end() });
  const server = await serve(home, service);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end());
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', error));
  process.on('uncaughtException', (error) => log.error('uncaught exception', error));
  log.info('ready');
  setTimeout(prepareAuthority, AUTHORITY_AFTER_MS).unref();
  endWithFolder(home);
  await ended;
  if (!holdsFolder(home)) process.exit(0);
  // Hanging work is not waited for: the state is on disk.
  setTimeout(() => {
    log.warn('ended with work under way');
    lock[Symbol.dispose]();
    process.exit(0);
  }, END_MS).unref();
  await server[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  lock[Symbol.dispose]();
  log.info('ended');
}

function openService(options: Pick<ServiceOptions, 'home' | 'log' | 'onShutdown'>): ReturnType<typeof createService> {
  const distDir = dirname(fileURLToPath(import.meta.url));
  const registries = () => readRegistries(`${options.home.root}/registries.json`);
  const bakeHosts = async () => {
    const { npm, apt, pip } = (await registries()).hosts;
    return [npm, apt, pip].flat();
  };
  return createService({ ...options, distDir, build: readBuild(distDir), registries, bakeHosts });
}

/** Ends the process when its state folder is removed or moved. */
function endWithFolder(home: Home): void {
  setInterval(() => {
    if (holdsFolder(home)) return;
    // Its paths may belong to another daemon by now, the log's too.
    process.stderr.write('the state folder was removed or moved: the daemon ends\n');
    process.exit(0);
  }, CHECK_MS).unref();
}

function holdsFolder(home: Home): boolean {
  return readHolder(home.daemon.lock)?.pid === process.pid;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
