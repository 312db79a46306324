/** `kill -9` of the daemon at each call of a suspend and a resume: what ran in the sandbox and what it had open is never lost. The VM and its server are plain data. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resume } from '../../../../../lib/engine/local/steps/resume.ts';
import type { StepDeps } from '../../../../../lib/engine/local/steps/step-deps.ts';
import { suspend } from '../../../../../lib/engine/local/steps/suspend.ts';
import { settleCutOff } from '../../../../../lib/engine/local/suspend/cut-off.ts';
import { readSaved } from '../../../../../lib/engine/local/suspend/saved-state.ts';
import { SbxError } from '../../../../../lib/errors.ts';
import { type Home, homeOf, instancePaths } from '../../../../../lib/paths.ts';
import { type InstanceRecord, Records } from '../../../../../lib/state/records.ts';
import type { VmPaths } from '../../../../../lib/vm/driver.ts';
import type { Guest } from '../../../../../lib/workspace/client/servers.ts';
import { RECORD } from '../../../daemon/control/rig.ts';
import { spec } from '../../../plan/spec.ts';

const ID = 'shop-1';
const IMAGE = { key: 'k', chain: [], kernel: '', initrd: '', backing: [], overlay: '' };

let home: Home;
let workspace: string;
/** Outlives the daemon */
let world: { vm: 'runs' | 'paused' | 'none'; pid: number; open: 'in a server' | 'in a file' | 'lost' };
beforeEach(() => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-sus-')) });
  workspace = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-sus-ws-')));
  world = { vm: 'runs', pid: 1, open: 'in a server' };
});
afterEach(() => {
  for (const dir of [home.root, workspace]) rmSync(dir, { recursive: true, force: true });
});

const paths = () => instancePaths(home, ID);
const SPEC = () => spec({ workspace: { ...spec().workspace, path: workspace } });
const machine = () => ({ pid: world.pid, startTime: '1', accel: 'tcg' as const, startedAt: '' });

/** `die`: called before and after each change of the world; it may never return. */
function daemon(records: Records, die: (at: string) => Promise<void>, fail = ''): StepDeps {
  const at = async (point: string, change: () => unknown = () => {}) => {
    await die(`before ${point}`);
    if (fail === point) throw new SbxError('vm-restore-failed', 'no', { why: 'it does not fit' });
    change();
    await die(`after ${point}`);
  };
  const driver = {
    find: () => (world.vm === 'none' ? undefined : machine()),
    health: async () => (world.vm === 'runs' ? 'running' : 'paused'),
    identity: async () => 'build',
    async save(_: VmPaths, file: string) {
      await at('pause', () => Object.assign(world, { vm: 'paused' }));
      await at('save', () => writeFileSync(file, 'memory'));
    },
    async continue() {
      if (world.vm === 'paused') world.vm = 'runs';
    },
    load: async () => {
      await at('load', () => Object.assign(world, { vm: 'paused', pid: world.pid + 1 }));
      return machine();
    },
    resume: () => at('continue', () => Object.assign(world, { vm: 'runs' })),
    destroy: () => at('end', () => Object.assign(world, { vm: 'none' })),
  };
  const workspaces = {
    attach: async ({ stateFile = '' }: Guest) => {
      await at('serve', () => {
        if (existsSync(stateFile)) world.open = 'in a server';
        rmSync(stateFile, { force: true });
      });
      return { link: '/link' };
    },
    suspend: ({ stateFile = '' }: Guest) =>
      at('unserve', () => {
        if (world.open === 'in a server') writeFileSync(stateFile, 'open files');
        if (existsSync(stateFile)) world.open = 'in a file';
      }),
    async detach() {
      if (world.open === 'in a server') world.open = 'lost';
    },
  };
  const guest = { request: async () => ({ nowMs: Date.now() }) };
  const guests = { get: () => undefined, drop: async () => {}, connect: async () => guest };
  const egress = { open: async () => {} };
  return { home, records, driver, workspaces, guests, egress, image: { store: {} } } as unknown as StepDeps;
}

async function known(): Promise<Records> {
  const records = new Records(home);
  mkdirSync(paths().dir, { recursive: true });
  const size = { cpus: 1, memoryBytes: 2 ** 29 };
  const record = { ...RECORD, applied: SPEC(), target: SPEC(), image: IMAGE, resumed: { ...machine(), size } };
  await records.put(record as unknown as InstanceRecord);
  return records;
}

const context = () => ({ id: ID, signal: new AbortController().signal, onProgress: () => {}, onLine: () => {} });
const alive = async () => {};
const suspendBy = (deps: StepDeps) => suspend(deps, { action: 'suspend', sandbox: 'shop' }, context());
const resumeBy = (deps: StepDeps) =>
  resume(deps, { action: 'resume', sandbox: 'shop', spec: SPEC(), generation: 1, boot: 1 }, context());

/** Runs until the `count`th point and never returns from there. False: there are fewer points. */
async function killedAt(count: number, work: (deps: StepDeps) => Promise<void>, records: Records): Promise<boolean> {
  let seen = 0;
  const killed = new Promise<boolean>((resolve, reject) => {
    const die = (): Promise<void> => {
      seen += 1;
      if (seen < count) return Promise.resolve();
      resolve(true);
      return new Promise<void>(() => {});
    };
    work(daemon(records, die)).then(() => resolve(false), reject);
  });
  return await killed;
}

/** One of the two, whole: the VM with its server, or its memory with what it has open. */
function holds(): 'runs' | 'saved' {
  const saved = readSaved(paths()) !== undefined;
  expect([saved, world.vm]).toEqual([world.vm === 'none', world.vm === 'none' ? 'none' : 'runs']);
  return saved ? 'saved' : 'runs';
}

/** As a daemon does that takes over: settles, and serves what runs. */
async function takeOver(records: Records): Promise<StepDeps> {
  const deps = daemon(records, alive);
  await settleCutOff(deps, records.require(ID));
  if (world.vm !== 'none')
    await deps.workspaces.attach({ id: ID, recordFile: '', privateLayer: '', stateFile: paths().workspaceState }, []);
  return deps;
}

describe('a daemon that is killed', () => {
  test('anywhere in a suspend: the next one finds the VM or its memory, whole', async () => {
    let points = 0;
    for (let count = 1; ; count += 1) {
      Object.assign(world, { vm: 'runs', open: 'in a server' });
      const records = await known();
      if (!(await killedAt(count, suspendBy, records))) break;
      points = count;
      const next = await takeOver(records);
      if (holds() === 'runs') await suspendBy(next);
      expect([holds(), world.open]).toEqual(['saved', 'in a file']);
      rmSync(paths().dir, { recursive: true });
    }
    expect(points).toBeGreaterThan(7);
  });

  test('anywhere in a resume: a memory runs once, and is never lost', async () => {
    let points = 0;
    for (let count = 1; ; count += 1) {
      Object.assign(world, { vm: 'runs', open: 'in a server' });
      const records = await known();
      await suspendBy(daemon(records, alive));
      if (!(await killedAt(count, resumeBy, records))) break;
      points = count;
      const next = await takeOver(records);
      if (holds() === 'saved') await resumeBy(next);
      expect([holds(), world.open]).toEqual(['runs', 'in a server']);
      expect(records.require(ID).resumed?.pid).toBe(world.pid);
      rmSync(paths().dir, { recursive: true });
    }
    expect(points).toBeGreaterThan(7);
  });
});

describe('a suspend that fails', () => {
  test.each(['unserve', 'pause', 'save'])('at %s leaves the VM running, with its files', async (point) => {
    const records = await known();
    await expect(suspendBy(daemon(records, alive, point))).rejects.toThrow();
    expect([holds(), world.open]).toEqual(['runs', 'in a server']);
  });
});
