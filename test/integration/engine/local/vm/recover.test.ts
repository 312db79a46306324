/**
 * A new daemon and the machines of the one before: real records, egress proxies and processes. The processes only replace QEMU, with its sign in
 * their command line; the workspace servers and the supervisor are test doubles.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchAll } from '../../../../../lib/daemon/service.ts';
import { createCredentials } from '../../../../../lib/engine/local/credentials/credentials.ts';
import { createEgress } from '../../../../../lib/engine/local/egress/egress.ts';
import type { VmDeps } from '../../../../../lib/engine/local/vm/deps.ts';
import { recover } from '../../../../../lib/engine/local/vm/recover.ts';
import { SbxError } from '../../../../../lib/errors.ts';
import { createGateway, type Gateway } from '../../../../../lib/gateway/gateway.ts';
import { openStore } from '../../../../../lib/image/store/store.ts';
import { type Home, homeOf, instancePaths } from '../../../../../lib/paths.ts';
import type { Supervisor } from '../../../../../lib/reconcile/supervisor.ts';
import { openSecrets } from '../../../../../lib/secrets/secrets.ts';
import { HostAgents } from '../../../../../lib/signing/host-agents.ts';
import type { SandboxSpec } from '../../../../../lib/spec/spec.ts';
import { FIRST, Records } from '../../../../../lib/state/records.ts';
import { createQemuDriver } from '../../../../../lib/vm/qemu/driver.ts';
import { markerOf } from '../../../../../lib/vm/qemu/process/vm-process.ts';
import { spec } from '../../../../unit/plan/spec.ts';

let home: Home;
let projects: string;
let gateway: Gateway;
let records: Records;
let machines: ChildProcess[];
/** What became of the sandboxes, in time */
let log: string[];
let said: string;
beforeEach(() => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-rec-')) });
  projects = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-rec-ws-')));
  gateway = createGateway();
  records = new Records(home);
  [machines, log, said] = [[], [], ''];
});
afterEach(async () => {
  for (const machine of machines) machine.kill('SIGKILL');
  await gateway[Symbol.asyncDispose]();
  for (const dir of [home.root, projects]) rmSync(dir, { recursive: true, force: true });
});

/** A sandbox that was applied, with a machine that the daemon of before left running. */
async function sandbox(id: string): Promise<{ workspace: string; machine: ChildProcess; ended: Promise<unknown> }> {
  const workspace = join(projects, id);
  const paths = instancePaths(home, id);
  for (const dir of [workspace, paths.dir]) mkdirSync(dir, { recursive: true });
  const applied: SandboxSpec = spec({ name: id, workspace: { ...spec().workspace, path: workspace } });
  const sign = markerOf({ dir: paths.dir } as Parameters<typeof markerOf>[0]);
  const machine = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', sign], { stdio: 'ignore' });
  machines.push(machine);
  await once(machine, 'spawn');
  writeFileSync(paths.process, JSON.stringify({ 'child-pid': machine.pid }));
  writeFileSync(paths.workspace, JSON.stringify({ key: '0'.repeat(16), link: '0'.repeat(16) }));
  await records.put({
    version: 1,
    id,
    name: id,
    project: 'p',
    projectDir: workspace,
    target: applied,
    applied,
    image: null,
    desired: FIRST,
    generation: 1,
    boot: 1,
    built: null,
    resumed: null,
    createdAt: new Date(0).toISOString(),
  });
  return { workspace, machine, ended: once(machine, 'exit') };
}

/** `unservable`: no workspace server attaches these. */
async function newDaemon({ unservable = [] as string[] } = {}): Promise<void> {
  const driver = createQemuDriver({ probeCache: home.probes });
  const refOf = (id: string) => ({ dir: '/project', name: id });
  const credentials = createCredentials({ home, secrets: openSecrets(home), refOf, ids: [] });
  const egress = createEgress({ home, gateway, credentials, agents: new HostAgents({}), distDir: 'dist' });
  const attach = async ({ id }: { id: string }) => {
    if (unservable.includes(id)) throw new SbxError('workspace', 'it cannot be served', { why: 'no server starts' });
    log.push(`${id} served`);
    return { link: '' };
  };
  const image = { store: openStore(home.store), driver };
  const deps = {
    home,
    records,
    driver,
    gateway,
    egress,
    credentials,
    image,
    workspaces: { attach, sweep: async () => {} },
  };
  await recover(deps as unknown as VmDeps, {
    isPooled: () => false,
    endPooled: async () => {},
    settle: async () => {},
    log: {
      warn: (message) => {
        said += `${message}\n`;
      },
    },
  });
  const watch = (id: string) => {
    const runs = driver.find(instancePaths(home, id)) !== undefined;
    log.push(
      `${id} kept, ${runs ? 'running' : 'ended'}, proxy ${gateway.hashOf(id) === undefined ? 'closed' : 'open'}`,
    );
  };
  watchAll(records, { watch } as unknown as Supervisor);
}

test('a machine of before is taken over as it runs', async () => {
  const { machine } = await sandbox('fine');
  await newDaemon();
  expect(log).toEqual(['fine served', 'fine kept, running, proxy open']);
  expect(machine.exitCode ?? machine.signalCode).toBeNull();
  expect(said).toBe('');
});

test.each([
  [
    'whose workspace cannot be served',
    { unservable: ['bad'] },
    /^bad: taking over failed: it cannot be served \(no server starts\)\n$/,
  ],
  ['whose workspace is gone', {}, /^bad: taking over failed: there is no .*\n$/],
])('one %s keeps running, and it is said; the others are taken over', async (_, how, reason) => {
  const { workspace, machine } = await sandbox('bad');
  const other = await sandbox('fine');
  if (!('unservable' in how)) rmSync(workspace, { recursive: true });
  await newDaemon(how);
  expect(log).not.toContain('bad served');
  expect(log).toContain('bad kept, running, proxy open');
  expect(log).toContain('fine kept, running, proxy open');
  for (const { exitCode, signalCode } of [machine, other.machine]) expect(exitCode ?? signalCode).toBeNull();
  expect(said).toMatch(reason);
});

test('a machine of a build without workspace servers is ended before it is kept, and its mount stubs are removed', async () => {
  const { workspace, ended } = await sandbox('old');
  rmSync(instancePaths(home, 'old').workspace);
  const stub = join(workspace, '.vscode');
  const plannedAt = Date.now();
  mkdirSync(stub);
  writeFileSync(
    instancePaths(home, 'old').mountStubs,
    JSON.stringify([{ path: stub, kind: 'dir', content: '', plannedAt }]),
  );
  await newDaemon();
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(existsSync(stub)).toBe(false);
  expect(log).toEqual(['old kept, ended, proxy closed']);
  expect(said).toMatch(/^old: ending the VM of an earlier version of sbx\n$/);
});

test('a machine of a sandbox that was never applied in full is neither taken over nor kept: the next apply finishes it', async () => {
  await sandbox('half');
  await records.update('half', { applied: null });
  await newDaemon();
  expect(log).toEqual([]);
  expect(gateway.hashOf('half')).toBeUndefined();
});
