/** What each address of the daemon does. */
import { statSync } from 'node:fs';
import { API_VERSION, type DaemonService, type SandboxDetail } from '../api/contract.ts';
import { collectGarbage } from '../image/store/gc.ts';
import { instancePaths } from '../paths.ts';
import { grantsOf, readGrants } from '../state/grants.ts';
import type { InstanceRecord } from '../state/records.ts';
import { applyIn, approveIn, planOf } from './control/apply.ts';
import { type Core, statusIn } from './control/control.ts';
import { removeIn, resetIn, startIn, stopIn } from './control/lifecycle.ts';
import { enterGuest } from './control/open-guest.ts';

export interface RouteOptions {
  build: string;
  onShutdown: () => void;
}

export function routesOf(core: Core, options: RouteOptions): DaemonService {
  const { deps, secrets } = core;
  const { records } = deps;
  const { store } = deps.image;
  const startedAt = new Date().toISOString();
  return {
    build: options.build,
    status: () => ({
      pid: process.pid,
      apiVersion: API_VERSION,
      build: options.build,
      startedAt,
      sandboxes: records.list().length,
      waiting: deps.pool.size,
      memoryBytes: process.memoryUsage().rss,
    }),
    list: async () => records.list().map((record) => statusIn(core, record)),
    inspect: (id) => detailOf(core, records.require(id)),
    plan: (request) => planOf(core, request),
    apply: (request, context) => applyIn(core, request, context),
    stop: (id, context) => stopIn(core, id, context),
    start: (id, context) => startIn(core, id, context),
    reset: (id, context) => resetIn(core, id, context),
    remove: (id, context) => removeIn(core, id, context),
    async allow(id, { rules, seconds }) {
      const record = records.require(id);
      const grants = deps.egress.grant(id, record.applied ?? record.target, grantsOf(rules, seconds));
      return { grants, live: deps.gateway.hashOf(id) !== undefined };
    },
    approve: (request) => approveIn(core, request),
    secrets: async () => secrets.list(),
    setSecret: (secret) => secrets.set(secret),
    removeSecret: async ({ name, scope }) => ({ removed: await secrets.remove(name, scope) }),
    async gc({ dryRun }) {
      const used = records.list().flatMap((record) => record.image?.chain ?? []);
      const items = await collectGarbage(store, used, dryRun);
      return { dryRun, items, freedBytes: items.reduce((sum, item) => sum + item.bytes, 0) };
    },
    guest: (wanted) => enterGuest(core, wanted),
    async shutdown() {
      options.onShutdown();
    },
  };
}

async function detailOf(core: Core, record: InstanceRecord): Promise<SandboxDetail> {
  const { home, image } = core.deps;
  const { dir, disk } = instancePaths(home, record.id);
  const layers = await image.store.list();
  return {
    ...statusIn(core, record),
    spec: record.applied ?? record.target,
    instanceDir: dir,
    grants: readGrants(home, record.id),
    layers: (record.image?.chain ?? []).map(({ kind, key }) => ({
      kind,
      key,
      bytes: layers.find((layer) => layer.kind === kind && layer.key === key)?.bytes ?? 0,
    })),
    pool: poolOf(core, record),
    diskBytes: (statSync(disk, { throwIfNoEntry: false })?.blocks ?? 0) * 512,
  };
}

function poolOf({ deps: { pool } }: Core, { applied, image }: InstanceRecord): SandboxDetail['pool'] {
  const waiting = applied === null || image === null ? 0 : pool.waiting(applied, image);
  return { wanted: applied?.lifecycle.pool ?? 0, waiting };
}
