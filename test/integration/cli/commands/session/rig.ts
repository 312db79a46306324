/** The built command line against the daemon's own server, whose one sandbox is the guest agent as a process of this host. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import type { DaemonService } from '../../../../../lib/api/contract.ts';
import { readBuild } from '../../../../../lib/api/ensure-daemon.ts';
import type { SandboxStatus } from '../../../../../lib/api/sandbox-status.ts';
import { serve } from '../../../../../lib/daemon/server.ts';
import type { SbxError } from '../../../../../lib/errors.ts';
import { homeOf } from '../../../../../lib/paths.ts';
import { type Agent, startAgent } from '../../../guest/agent/agent-rig.ts';

const SBX = resolve('bin/sbx');

interface Called {
  code: number;
  stdout: string;
  stderr: string;
}

export interface World extends AsyncDisposable {
  /** Real path of the project, which is the workspace */
  dir: string;
  /** State folder of sbx */
  home: string;
  /** What the guest's request answers while the sandbox is down; undefined: it runs */
  down: SbxError | undefined;
  /** Requests to start it */
  starts: string[];
  /** What the daemon lists besides it */
  others: SandboxStatus[];
  removed: string[];
  sbx(args: string[], options?: SpawnOptions): Promise<Called>;
  /** A shell script with `sbx` on its PATH */
  script(text: string, input?: string): Promise<Called>;
}

export async function startWorld(): Promise<World> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-w-')));
  const dir = join(root, 'shop');
  const home = homeOf({ SBX_HOME: join(root, 'home') });
  for (const path of [dir, home.root]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const agent = await startAgent();
  const state = {
    down: undefined as SbxError | undefined,
    starts: [] as string[],
    removed: [] as string[],
    others: [] as SandboxStatus[],
  };
  const server = await serve(home, serviceOf(agent, dir, state));
  const env = { ...process.env, SBX_HOME: home.root, PATH: `${resolve('bin')}:${process.env['PATH']}`, NO_COLOR: '1' };
  return Object.assign(state, {
    dir,
    home: home.root,
    sbx: (args: string[], options: SpawnOptions = {}) =>
      outcomeOf(SBX, args, { cwd: dir, ...options, env: { ...env, ...options.env } }),
    script: (text: string, input = '') => outcomeOf('sh', ['-c', text], { cwd: dir, env }, input),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await agent[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    },
  });
}

function serviceOf(
  agent: Agent,
  dir: string,
  state: Pick<World, 'down' | 'starts' | 'others' | 'removed'>,
): DaemonService {
  const sandbox = listed({ id: 'x1', name: 'shop', projectDir: dir });
  const remove = async (id: string) => void state.removed.push(id);
  const start = async (id: string) => {
    state.starts.push(id);
    state.down = undefined;
    return sandbox;
  };
  const inspect = async (id: string) => ({ ...[sandbox, ...state.others].find((one) => one.id === id), ...DETAIL });
  const guest = async () => {
    if (state.down !== undefined) throw state.down;
    const place = { id: 'x1', name: 'shop', workspace: dir, mailbox: join(dir, 'none') };
    return { place, serve: (socket: Duplex) => relay(socket, agent.socket) };
  };
  const service = {
    build: readBuild(resolve('dist')),
    list: async () => [sandbox, ...state.others],
    inspect,
    remove,
    start,
    guest,
  };
  return service as unknown as DaemonService;
}

const DETAIL = {
  losses: [],
  grants: [],
  denials: [],
  spec: { resources: { diskBytes: 20 * 1024 ** 3 }, network: { mode: 'enforce', allow: [] } },
};

/** A row of `sbx ls`: it runs, all is well. */
export function listed(about: Partial<SandboxStatus>): SandboxStatus {
  const { name = 'shop', projectDir = '/none' } = about;
  const since = new Date(Date.now() - 3 * 3_600_000).toISOString();
  return {
    id: 'x',
    name,
    project: 'shop',
    projectDir,
    state: 'running',
    agent: 'shell',
    image: 'debian',
    snapshot: null,
    accel: 'tcg',
    cpus: 2,
    memoryBytes: 1024 ** 3,
    workspace: projectDir,
    ports: [],
    pid: 1,
    createdAt: since,
    startedAt: since,
    diskBytes: 5 * 1024 ** 2,
    suspended: null,
    conditions: [],
    ...about,
  };
}

function relay(client: Duplex, path: string): Promise<void> {
  const guest = connect(path);
  guest.on('error', () => client.destroy());
  client.on('error', () => guest.destroy());
  client.pipe(guest).pipe(client);
  return new Promise((done) => guest.once('close', () => done()));
}

function outcomeOf(file: string, args: string[], options: SpawnOptions, input = ''): Promise<Called> {
  const child = spawn(file, args, { ...options, stdio: 'pipe' });
  child.stdin?.on('error', () => {}).end(input);
  const text = { stdout: '', stderr: '' };
  child.stdout?.on('data', (data) => {
    text.stdout += data;
  });
  child.stderr?.on('data', (data) => {
    text.stderr += data;
  });
  return new Promise((done) => child.once('close', (code) => done({ code: code ?? -1, ...text })));
}
