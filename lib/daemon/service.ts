/** The daemon's work behind its HTTP interface: everything is found again on disk, nothing lives only in here. */
import { join } from 'node:path';
import type { DaemonService } from '../api/contract.ts';
import { createCredentials } from '../engine/local/credentials/credentials.ts';
import { openBakeEgress } from '../engine/local/egress/bake-egress.ts';
import { createEgress } from '../engine/local/egress/egress.ts';
import { createActivityTracker } from '../engine/local/guests/activity.ts';
import { createGuests } from '../engine/local/guests/connections.ts';
import { createPool, type Pool } from '../engine/local/pool/pool.ts';
import { endPooled, isAlive, makePooled } from '../engine/local/pool/pooled-clone.ts';
import { observe } from '../engine/local/steps/observe.ts';
import type { HandlerDeps } from '../engine/local/steps/step-deps.ts';
import { execute } from '../engine/local/steps/steps.ts';
import type { MachineDeps } from '../engine/local/vm/deps.ts';
import { createDiskWatch } from '../engine/local/vm/disk-watch.ts';
import { createMountWatches } from '../engine/local/vm/mount-watches.ts';
import { SbxError } from '../errors.ts';
import { createGateway } from '../gateway/gateway.ts';
import type { Registries } from '../image/bake/bake-script.ts';
import { findRuntimeParts } from '../image/platform/runtime.ts';
import { openStore } from '../image/store/store.ts';
import { ensurePrivateDir, type Home, instancePaths } from '../paths.ts';
import { planSandbox } from '../plan/plan.ts';
import { createSupervisor, type Supervisor } from '../reconcile/supervisor.ts';
import { openSecrets } from '../secrets/secrets.ts';
import { cached } from '../state/cached.ts';
import { type InstanceRecord, Records } from '../state/records.ts';
import { createQemuDriver } from '../vm/qemu/driver.ts';
import type { Core } from './control/control.ts';
import { lookNowAndThen } from './control/monitor.ts';
import { createListeners } from './control/progress.ts';
import { createProjectMutex } from './control/project-mutex.ts';
import { recover } from './control/recover.ts';
import { type RouteOptions, routesOf } from './routes.ts';

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
    egress: createEgress({ home, gateway, credentials }),
    credentials,
    guests: createGuests((id) => supervisor.poke(id)),
    watches: createMountWatches((id, pid, why) => {
      const places = instancePaths(home, id);
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
      openEgress: async ({ dir, egress }, name) =>
        openBakeEgress(gateway, { dir, socketPath: join(egress, 'proxy'), name, hosts: await options.bakeHosts() }),
      logs: ensurePrivateDir(join(home.root, 'logs')),
    },
    registries: cached(options.registries),
  };
  const deps: HandlerDeps = { ...parts, pool: poolOf(parts) };
  supervisor = createSupervisor({
    plan: async (id, target, mode, signal) =>
      planSandbox(target, await observe(deps, id, target?.name ?? '', signal), {
        mode,
        networkHash: (spec) => deps.egress.hashFor(id, spec),
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
  const core: Core = {
    deps,
    supervisor,
    secrets,
    disks,
    listeners,
    turns: createProjectMutex(tendSoon),
    uses: createActivityTracker(),
  };
  tendSoon();
  return { ...routesOf(core, options), [Symbol.asyncDispose]: endOf(core, lookNowAndThen(core)) };
}

function poolOf(deps: MachineDeps): Pool {
  return createPool({
    records: () => deps.records.list(),
    make: (request) => makePooled(deps, request),
    end: (id) => endPooled(deps, id),
    isAlive: (clone) => isAlive(deps, clone),
  });
}

function endOf({ deps, supervisor }: Core, timer: NodeJS.Timeout): () => Promise<void> {
  return async () => {
    clearInterval(timer);
    deps.egress[Symbol.dispose]();
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
