/** Wires the control plane: records, the engine, the supervisor and the requests of clients. */
import { join } from 'node:path';
import type { DaemonService } from '../api/contract.ts';
import type { LocalEngineOptions } from '../engine/local/engine-parts.ts';
import { LocalEngine } from '../engine/local/local-engine.ts';
import { checkProject } from '../organisation/check-project.ts';
import { readOrganisation } from '../organisation/policy-file.ts';
import type { Home } from '../paths.ts';
import { Supervisor } from '../reconcile/supervisor.ts';
import { openSecrets } from '../secrets/secrets.ts';
import { HostAgents } from '../signing/host-agents.ts';
import { backgroundDesired, Records } from '../state/records.ts';
import { createActivityTracker } from './activity/activity.ts';
import type { Control } from './control/control.ts';
import { createListeners } from './control/progress.ts';
import { createProjectMutex } from './control/project-mutex.ts';
import { startMonitor } from './lifecycle/monitor.ts';
import { ProjectLoader } from './project-loader.ts';
import { type RouteOptions, routesOf } from './routes.ts';

export interface ServiceOptions
  extends RouteOptions,
    Pick<LocalEngineOptions, 'distDir' | 'registries' | 'bakeHosts' | 'log'> {
  home: Home;
}

const BACKGROUND_ATTEMPTS = 20;
const HEAVY_STEPS = 2;
/** The request that just ended uses the host first */
const FILL_POOL_AFTER_MS = 500;

export async function createService(options: ServiceOptions): Promise<DaemonService & AsyncDisposable> {
  const { home } = options;
  const records = new Records(home);
  const secrets = openSecrets(home);
  const agents = new HostAgents();
  const engine = new LocalEngine({ ...options, records, secrets, agents, onChange: (id) => supervisor.notify(id) });
  const loader = new ProjectLoader({ worker: join(options.distDir, 'load-worker.js'), stateDir: home.root });
  const listeners = createListeners();
  const supervisor = new Supervisor({
    engine,
    concurrency: HEAVY_STEPS,
    attempts: BACKGROUND_ATTEMPTS,
    output: (id, { sandbox }) => ({
      onProgress: (message) => listeners.tell(id, { type: 'progress', sandbox, message }),
      onLine: (line) => listeners.tell(id, { type: 'output', sandbox, line }),
    }),
  });
  await engine.recover();
  watchAll(records, supervisor);
  const fillPoolSoon = () => void setTimeout(() => engine.fillPool(), FILL_POOL_AFTER_MS).unref();
  const control: Control = {
    home,
    log: options.log,
    records,
    secrets,
    agents,
    engine,
    supervisor,
    listeners,
    mutex: createProjectMutex(fillPoolSoon),
    activity: createActivityTracker(),
    load: async (request) => {
      const project = await loader.load(request);
      checkProject(project, readOrganisation());
      return project;
    },
    organisation: () => readOrganisation(),
  };
  fillPoolSoon();
  const monitor = startMonitor(control);
  return { ...routesOf(control, options), [Symbol.asyncDispose]: () => end(control, monitor, loader) };
}

/** Finishes the requests that an earlier daemon wrote down, and keeps what was applied. */
export function watchAll(records: Records, supervisor: Supervisor): void {
  for (const record of records.list()) {
    const desired = backgroundDesired(record);
    if (desired !== undefined) supervisor.watch(record.id, desired);
  }
}

async function end({ supervisor, engine }: Control, monitor: NodeJS.Timeout, loader: ProjectLoader): Promise<void> {
  clearInterval(monitor);
  await supervisor.stop();
  await engine[Symbol.asyncDispose]();
  await loader[Symbol.asyncDispose]();
}
