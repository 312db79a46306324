/** A control plane over the test engine: real records, supervisor and requests; no VM. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RequestContext } from '../../../../lib/api/contract.ts';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { createActivityTracker } from '../../../../lib/daemon/activity/activity.ts';
import type { Control } from '../../../../lib/daemon/control/control.ts';
import { createListeners } from '../../../../lib/daemon/control/progress.ts';
import { createProjectMutex } from '../../../../lib/daemon/control/project-mutex.ts';
import type { Organisation } from '../../../../lib/organisation/policy-file.ts';
import { homeOf, instancePaths } from '../../../../lib/paths.ts';
import { Supervisor } from '../../../../lib/reconcile/supervisor.ts';
import { openSecrets } from '../../../../lib/secrets/secrets.ts';
import { HostAgents } from '../../../../lib/signing/host-agents.ts';
import { FIRST, type InstanceRecord, Records } from '../../../../lib/state/records.ts';
import { hostFacts } from '../../config/project.ts';
import { running, spec } from '../../plan/spec.ts';
import { TestEngine, type TestEngineOptions } from '../../reconcile/test-engine.ts';

export const ID = 'shop-1';
export const SPEC = spec({ lifecycle: { restart: 'always', idleSeconds: 0, pool: 0 } });
export const CONTEXT: RequestContext = { signal: new AbortController().signal, emit: () => {} };

export interface Rig extends AsyncDisposable {
  control: Control;
  engine: TestEngine;
  records: Records;
  supervisor: Supervisor;
  /** The same state folder and the same VMs after `kill -9` of the daemon; its work in flight is cut off */
  nextDaemon(options?: TestEngineOptions): Rig;
}

/** One sandbox that was applied and runs. */
export async function rig(options: TestEngineOptions = {}): Promise<Rig> {
  const home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-control-')) });
  const records = new Records(home);
  mkdirSync(instancePaths(home, ID).dir, { recursive: true });
  await records.put(RECORD);
  const made = daemon(home.root, options);
  made.engine.world.set(ID, running(SPEC));
  return { ...made, [Symbol.asyncDispose]: async () => dispose(made, home.root) };
}

/** A machine without an organisation's policy */
export const NO_POLICY: Organisation = {
  file: undefined,
  neverApproves: undefined,
  forbid: [],
  deny: [],
  limits: {},
};

export const RECORD: InstanceRecord = {
  version: 1,
  id: ID,
  name: 'shop',
  project: 'p',
  projectDir: '/project',
  target: SPEC,
  applied: SPEC,
  desired: FIRST,
  generation: 1,
  boot: 1,
  image: null,
  built: null,
  resumed: null,
  createdAt: new Date(0).toISOString(),
};

function daemon(root: string, options: TestEngineOptions): Omit<Rig, typeof Symbol.asyncDispose> {
  const home = homeOf({ SBX_HOME: root });
  const records = new Records(home);
  const engine = new TestEngine({
    power: (id) => records.get(id)?.desired.power ?? 'on',
    ...recording(records, options),
  });
  const supervisor = new Supervisor({ engine, concurrency: 1, attempts: 20 });
  const control: Control = {
    home,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    records,
    secrets: openSecrets(home),
    agents: new HostAgents({}),
    engine,
    supervisor,
    listeners: createListeners(),
    mutex: createProjectMutex(),
    activity: createActivityTracker(),
    load: ({ cwd }) => loadProject({ cwd, host: hostFacts() }),
    organisation: () => NO_POLICY,
  };
  const nextDaemon = (next: TestEngineOptions = {}) => {
    const made = daemon(root, next);
    for (const [id, observed] of engine.world) made.engine.world.set(id, observed);
    for (const [id, bytes] of engine.disks) made.engine.disks.set(id, bytes);
    return { ...made, [Symbol.asyncDispose]: async () => dispose(made, root) };
  };
  return { control, engine, records, supervisor, nextDaemon };
}

/** Steps write the record as those of a real engine do. */
function recording(records: Records, { work, ...options }: TestEngineOptions): TestEngineOptions {
  return {
    ...options,
    async work(step, context) {
      await work?.(step, context);
      if (step.action === 'destroy') records.remove(context.id);
      if (step.action === 'record') await records.update(context.id, { applied: step.spec });
      if (step.action === 'create' || step.action === 'start')
        await records.update(context.id, { generation: step.generation, boot: step.boot });
    },
  };
}

async function dispose({ supervisor }: Pick<Rig, 'supervisor'>, root: string): Promise<void> {
  await supervisor.stop();
  rmSync(root, { recursive: true, force: true });
}
