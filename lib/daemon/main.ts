/** The daemon's process: one for each state folder, started on demand. */
import { renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { readBuild } from '../api/ensure-daemon.ts';
import { readRegistries } from '../config/resolve/presets.ts';
import { prepareAuthority } from '../gateway/tls/authority.ts';
import { ensurePrivateDir, homeOf } from '../paths.ts';
import { readHolder, tryLock } from '../system/file-lock.ts';
import { serve } from './server.ts';
import { createService } from './service.ts';

/** How long an ending daemon waits for the step under way */
const END_MS = 5_000;
/** Whoever called the daemon up is served first */
const AUTHORITY_AFTER_MS = 1_000;
/** Whether the state folder is still its own */
const LOOK_MS = 5_000;
const LOG_MAX = 4 * 1024 * 1024;

async function main(): Promise<void> {
  process.umask(0o077);
  const home = homeOf();
  ensurePrivateDir(home.root);
  ensurePrivateDir(home.daemon.dir);
  if ((statSync(home.daemon.log, { throwIfNoEntry: false })?.size ?? 0) > LOG_MAX)
    renameSync(home.daemon.log, `${home.daemon.log}.1`);
  const log = pino(
    { base: { pid: process.pid } },
    pino.destination({ dest: home.daemon.log, sync: true, append: true, mode: 0o600 }),
  );
  const lock = tryLock(home.daemon.lock) ?? tryLock(home.daemon.lock);
  if (lock === undefined) {
    log.info('another daemon serves this folder already');
    return;
  }
  const distDir = dirname(fileURLToPath(import.meta.url));
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const registries = () => readRegistries(`${home.root}/registries.json`);
  const service = await createService({
    home,
    distDir,
    build: readBuild(distDir),
    registries,
    bakeHosts: async () => Object.values((await registries()).hosts).flat(),
    onShutdown: () => end(),
    log: (message) => log.warn(message),
  });
  const server = await serve(home, service);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end());
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a failure that nobody waited for'));
  process.on('uncaughtException', (error) => log.error({ err: error }, 'an unexpected failure'));
  log.info('ready');
  setTimeout(prepareAuthority, AUTHORITY_AFTER_MS).unref();
  setInterval(() => {
    if (readHolder(home.daemon.lock)?.pid === process.pid) return;
    process.stderr.write('the state folder is gone or moved: its daemon ends\n');
    // What stands at its paths now is another one's.
    process.exit(0);
  }, LOOK_MS).unref();
  await ended;
  if (readHolder(home.daemon.lock)?.pid !== process.pid) process.exit(0);
  // Whatever still hangs is not waited for: the truth is on disk.
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

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
