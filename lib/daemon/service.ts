/** The daemon's work behind its HTTP interface: everything is found again on disk, nothing lives only in here. */
import { join } from 'node:path';
import { SbxError } from '../errors.ts';
import { createGateway } from '../gateway/gateway.ts';
import { findRuntimeParts } from '../image/runtime.ts';
import { openStore } from '../image/store.ts';
import { createSupervisor, type Supervisor } from '../machines/supervisor.ts';
import { ensurePrivateDir, type Home, instancePaths } from '../paths.ts';
import { planSandbox } from '../plan/plan.ts';
import { openSecrets } from '../secrets/secrets.ts';
import { createQemuDriver } from '../vm/qemu/driver.ts';
import type { DaemonService } from './api.ts';
import { openBakeDoor } from './bake-door.ts';
import type { Core } from './core.ts';
import { createCredentials } from './credentials.ts';
import { createDiskWatch } from './disk-watch.ts';
import { createDoors } from './doors.ts';
import { createGuests } from './guests.ts';
import type { HandlerDeps } from './handler-deps.ts';
import { execute } from './handlers.ts';
import { lastKnown } from './last-known.ts';
import { lookNowAndThen } from './look-now-and-then.ts';
import { type MachineDeps, placesOf } from './machine-deps.ts';
import { createMountWatches } from './mount-watches.ts';
import { observe } from './observe.ts';
import { createPool, type Pool } from './pool.ts';
import { createListeners } from './progress.ts';
import { type InstanceRecord, Records } from './records.ts';
import { recover } from './recover.ts';
import { type RouteOptions, routesOf } from './routes.ts';
import type { Registries } from './spec-parts.ts';
import { createTurns } from './turns.ts';
import { createUses } from './uses.ts';
import { endWaiting, isAlive, makeWaiting } from './waiting-clone.ts';

export interface ServiceOptions extends RouteOptions {
  home: Home;
  /** Folder of the bundles: the guest's agent lies below it */
  distDir: string;
  registries: () => Promise<Registries>;
  /** Hosts that a bake may reach */
  bakeHosts: () => Promise<{ host: string; port: number }[]>;
}

const BACKGROUND_ATTEMPTS = 20;
const TEND_AFTER_MS = 500;

export async function createService(options: ServiceOptions): Promise<DaemonService & AsyncDisposable> {
  const { home } = options;
  const gateway = createGateway();
  const store = openStore(ensurePrivateDir(home.store));
  const listeners = createListeners();
  const secrets = openSecrets(home);
  const records = new Records(home);
  const ids = records.list().map(({ id }) => id);
  const credentials = createCredentials({ home, secrets, askerOf: (id) => askerOf(records.require(id)), ids });
  let supervisor: Supervisor;
  const parts: MachineDeps = {
    home,
    records,
    driver: createQemuDriver({ probeCache: home.probes }),
    gateway,
    doors: createDoors({ home, gateway, credentials }),
    credentials,
    guests: createGuests((id) => supervisor.poke(id)),
    watches: createMountWatches((id, pid, why) => {
      const places = placesOf(instancePaths(home, id));
      // Another machine of the same sandbox has mounts, and a watch, of its own.
      if (parts.driver.find(places)?.pid !== pid) return;
      process.stderr.write(
        `${id}: its mounts could not be put back, it is restarted: ${why instanceof Error ? `${why.message} ${why instanceof SbxError ? why.why : ''}` : JSON.stringify(why)}\n`,
      );
      // Its protected paths are open and stay so: it must not run on. The supervisor starts it again with every mount in place.
      void parts.driver.destroy(places).then(() => supervisor.poke(id));
    }),
    image: {
      store,
      driver: createQemuDriver({ probeCache: home.probes }),
      runtimeParts: () => findRuntimeParts(options.distDir),
      openDoor: async ({ dir, door }, name) =>
        openBakeDoor(gateway, { dir, socketPath: join(door, 'proxy'), name, hosts: await options.bakeHosts() }),
      logs: ensurePrivateDir(join(home.root, 'logs')),
    },
    registries: lastKnown(options.registries),
  };
  const deps: HandlerDeps = { ...parts, pool: poolOf(parts) };
  supervisor = createSupervisor({
    plan: async (id, target, mode, signal) =>
      planSandbox(target, await observe(deps, id, target?.name ?? '', signal), {
        mode,
        networkHash: (spec) => deps.doors.hashFor(id, spec),
      }),
    execute: (id, step, signal) =>
      execute(deps, step, {
        id,
        signal,
        onProgress: (message) => listeners.tell(id, { type: 'progress', sandbox: step.sandbox, message }),
        onLine: (line) => listeners.tell(id, { type: 'output', sandbox: step.sandbox, line }),
      }),
    concurrency: 2,
    attempts: BACKGROUND_ATTEMPTS,
  });
  await recover(deps, supervisor);
  const disks = createDiskWatch(deps.driver);
  // Whoever asked for something uses it first.
  const tendSoon = () => void setTimeout(() => void deps.pool.tend(), TEND_AFTER_MS).unref();
  const core: Core = { deps, supervisor, secrets, disks, listeners, turns: createTurns(tendSoon), uses: createUses() };
  tendSoon();
  return { ...routesOf(core, options), [Symbol.asyncDispose]: endOf(core, lookNowAndThen(core)) };
}

function poolOf(deps: MachineDeps): Pool {
  return createPool({
    records: () => deps.records.list(),
    make: (request) => makeWaiting(deps, request),
    end: (id) => endWaiting(deps, id),
    isAlive: (clone) => isAlive(deps, clone),
  });
}

function endOf({ deps, supervisor }: Core, timer: NodeJS.Timeout): () => Promise<void> {
  return async () => {
    clearInterval(timer);
    deps.doors[Symbol.dispose]();
    deps.watches[Symbol.dispose]();
    await supervisor.stop();
    await deps.pool[Symbol.asyncDispose]();
    await deps.guests[Symbol.asyncDispose]();
    await deps.gateway[Symbol.asyncDispose]();
  };
}

function askerOf({ projectDir, name }: InstanceRecord): { dir: string; name: string } {
  return { dir: projectDir, name };
}
