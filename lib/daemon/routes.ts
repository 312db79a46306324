/** Implements each address of the daemon's API. */
import { API_VERSION, type DaemonService } from '../api/contract.ts';
import type { PortsRequest } from '../api/live-contract.ts';
import type { SandboxStats } from '../api/sandbox-stats.ts';
import type { SandboxDetail } from '../api/sandbox-status.ts';
import { refuseApproval, refusePorts } from '../organisation/check-project.ts';
import { grantsOf, knownLive } from '../state/grants.ts';
import type { InstanceRecord } from '../state/records.ts';
import { type Control, statusIn } from './control/control.ts';
import { refuseCutOff } from './lifecycle/end-daemon.ts';
import { removeIn, resetIn, restartIn, startIn, stopIn, suspendIn } from './lifecycle/lifecycle.ts';
import { openGuestIn } from './lifecycle/open-guest.ts';
import { snapshotsIn } from './lifecycle/snapshots.ts';
import { applyIn, approveIn } from './project/apply.ts';
import { planOf } from './project/plan.ts';
import { portInfo } from './status/port-info.ts';
import { diffIn, fetchIn } from './work/clone-work.ts';
import { lossesOf } from './work/losses.ts';
import { acceptIn } from './work/private-work.ts';
import { checkPathIn } from './work/workspace-check.ts';

export interface RouteOptions {
  build: string;
  onShutdown: () => void;
}

export function routesOf(control: Control, options: RouteOptions): DaemonService {
  const { engine, records, secrets } = control;
  const startedAt = new Date().toISOString();
  return {
    build: options.build,
    noteSshAgent: (socket) => control.agents.note(socket),
    status: () => ({
      pid: process.pid,
      apiVersion: API_VERSION,
      build: options.build,
      startedAt,
      sandboxes: records.list().length,
      waiting: engine.pooled,
      memoryBytes: process.memoryUsage().rss,
    }),
    list: async () => records.list().map((record) => statusIn(control, record)),
    inspect: (id) => detailOf(control, records.require(id)),
    stats: (id) => statsOf(control, records.require(id)),
    plan: (request) => planOf(control, request),
    apply: (request, context) => applyIn(control, request, context),
    stop: (id, request, context) => stopIn(control, id, { ...request, ...context }),
    suspend: (id, request, context) => suspendIn(control, id, { ...request, ...context }),
    start: (id, context) => startIn(control, id, context),
    restart: (id, request, context) => restartIn(control, id, { ...request, ...context }),
    reset: (id, request, context) => resetIn(control, id, { ...request, ...context }),
    remove: (id, request, context) => removeIn(control, id, { ...request, ...context }),
    snapshots: (id, request) => snapshotsIn(control, id, request),
    fetch: (id, request, context) => fetchIn(control, id, { ...request, ...context }),
    diff: (id, request, context) => diffIn(control, id, { ...request, ...context }),
    accept: (id, request) => acceptIn(control, id, request),
    checkPath: (id, { path }) => checkPathIn(control, id, path),
    async allow(id, { rules, seconds }) {
      const record = records.require(id);
      refuseApproval(control.organisation(), 'another host');
      return engine.grant(id, record.applied ?? record.target, grantsOf(rules, seconds));
    },
    async changePorts(id, request) {
      refusePublishing(control, request.publish);
      const { ports, live } = await engine.changePorts(records.require(id).id, request);
      return { ports: ports.map(portInfo), live };
    },
    async listening(id) {
      const record = records.require(id);
      const isAsked = (record.applied ?? record.target).offerPorts === true;
      const found = await engine.listeningPorts(record.id);
      return found.map(({ port, program, declined }) => ({
        port,
        program: program ?? null,
        asks: isAsked && !declined,
      }));
    },
    async declinePorts(id, { ports }) {
      engine.declinePorts(records.require(id).id, ports);
      return {};
    },
    async holdPorts(id, { publish }, { signal, emit }) {
      refusePublishing(control, publish);
      const ports = await engine.holdPorts(records.require(id).id, publish, signal);
      emit({ type: 'ports', ports: ports.map(portInfo) });
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    async deny(id, { rules, seconds }) {
      const record = records.require(id);
      return engine.deny(id, record.applied ?? record.target, grantsOf(rules, seconds));
    },
    async revoke(id, { entries }) {
      return engine.revoke(records.require(id).id, entries);
    },
    approve: (request) => approveIn(control, request),
    secrets: async () => secrets.list(),
    setSecret: (secret) => secrets.set(secret),
    removeSecret: async ({ name, scope }) => ({ removed: await secrets.remove(name, scope) }),
    async gc({ dryRun, all = false, keepSeconds = 0 }) {
      const { freed: items, kept } = await engine.collectGarbage({ dryRun, all, keepSeconds });
      return { dryRun, items, kept, freedBytes: items.reduce((sum, item) => sum + item.bytes, 0) };
    },
    guest: (wanted) => openGuestIn(control, wanted),
    async shutdown(request) {
      await refuseCutOff(control, request);
      return options.onShutdown;
    },
  };
}

function refusePublishing({ organisation }: Control, publish: PortsRequest['publish']): void {
  const policy = organisation();
  const addresses = publish.map(({ address }) => address);
  refusePorts(policy, addresses);
  if (addresses.length > 0) refuseApproval(policy, 'another port');
}

async function statsOf(control: Control, record: InstanceRecord): Promise<SandboxStats> {
  const { id, name, project, state, cpus } = statusIn(control, record);
  const { host = null, guest = null, network = null, diskBytes } = await control.engine.usage(id);
  return { id, name, project, state, atMs: Date.now(), cpus, host, guest, diskBytes, network };
}

async function detailOf(control: Control, record: InstanceRecord): Promise<SandboxDetail> {
  const { home, engine } = control;
  return {
    ...statusIn(control, record),
    spec: record.applied ?? record.target,
    ...(knownLive(home, record.id) ?? { grants: [], denials: [] }),
    ...(await engine.storage(record.id)),
    losses: await lossesOf(control, record, { losesDisk: true }),
  };
}
