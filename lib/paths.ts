/** The one owner of every name on disk, with the limit on socket paths. All state is below one home: folders 0700, files 0600. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { errnoOf, SbxError } from './errors.ts';

/** Longest path that fits into `sockaddr_un` on Linux, without the closing NUL */
const SOCKET_PATH_MAX = 107;

export interface Home {
  root: string;
  /** Content-addressed layers */
  store: string;
  /** One folder a sandbox */
  instances: string;
  /** Approvals and applied specs, one folder a project */
  projects: string;
  daemon: { dir: string; socket: string; lock: string; log: string };
  /** What is known of secrets (JSON), and the values themselves where there is no keyring (JSON) */
  secrets: { index: string; values: string };
  /** One folder for each set of folders that a workspace server serves */
  workspaces: string;
  /** What `[agent] keep` keeps, one folder for each sandbox, by its instance id; outlives the sandbox */
  kept: string;
  /** Notes about temporary files in folders of the user, one file each */
  temporaries: string;
  /** Results of probes, valid for one boot of the host */
  probes: string;
  /** Folders that guests could write, one a line; bin/sbx knows the name, too */
  guestFolders: string;
}

/** The state folder: `SBX_HOME`, else the user's XDG data folder. */
export function homeOf(env: NodeJS.ProcessEnv = process.env): Home {
  const root = env['SBX_HOME'] ? resolve(env['SBX_HOME']) : envPaths('sbx', { suffix: '' }).data;
  const daemon = join(root, 'daemon');
  return {
    root,
    store: join(root, 'store'),
    instances: join(root, 'instances'),
    projects: join(root, 'projects'),
    daemon: { dir: daemon, socket: join(daemon, 'sock'), lock: join(daemon, 'lock'), log: join(daemon, 'log') },
    secrets: { index: join(root, 'secrets', 'index.json'), values: join(root, 'secrets', 'values.json') },
    workspaces: join(root, 'workspaces'),
    kept: join(root, 'kept'),
    temporaries: join(root, 'temporaries'),
    probes: join(root, 'probes.json'),
    guestFolders: join(root, 'guest-folders'),
  };
}

/** Of one workspace server. */
export interface WorkspacePaths {
  dir: string;
  /** bubblewrap's status: pid, exit code (JSON lines) */
  process: string;
  log: string;
  /** Bound into the server's jail: its control socket, what it keeps of each guest, and `links` */
  shared: string;
  control: string;
  /** A folder for each guest: bound into the jail of its VM, which makes a socket there */
  links: string;
  /** The private layers of the guests, by their links */
  layers: string;
}

export function workspacePaths(home: Home, key: string): WorkspacePaths {
  const dir = join(home.workspaces, key);
  const shared = join(dir, 'shared');
  return {
    dir,
    process: join(dir, 'process.json'),
    log: join(dir, 'log'),
    shared,
    control: join(shared, 'control'),
    links: join(shared, 'links'),
    layers: join(shared, 'layers'),
  };
}

export interface InstancePaths {
  dir: string;
  /** What this instance is: project, name, applied spec (JSON) */
  record: string;
  /** The VM's process: pid and start time (JSON); absent when stopped */
  process: string;
  /** The instance's own qcow2 overlay */
  disk: string;
  /** Bound into the jail: the sockets QEMU makes */
  run: string;
  qmp: string;
  agent: string;
  setup: string;
  /** Bound into the jail: the gateway's socket, made by the host */
  egress: string;
  proxySocket: string;
  /** Where the filter before the ssh agent of the host listens */
  signerSocket: string;
  /** Of its MCP servers */
  mcp: McpPaths;
  console: string;
  /** stderr of the jail and QEMU */
  monitorLog: string;
  /** One JSON line a verdict of the gateway */
  audit: string;
  /** What `sbx net allow` and `sbx net deny` added (JSON) */
  grants: string;
  /** What `sbx ports --publish` opened, and the free ports that were picked (JSON) */
  ports: string;
  /** Certificate and key of the sandbox's own certificate authority */
  authority: string;
  /** Placeholders that the guest sees instead of the host's secrets (JSON) */
  placeholders: string;
  /** Which workspace server serves it, and where (JSON) */
  workspace: string;
  /** What its memory was saved with (JSON); there while it is suspended, and no longer than `memory` is whole */
  suspended: string;
  /** Its memory while it is suspended */
  memory: string;
  /** What it has open in its workspace while it is suspended (JSON) */
  workspaceState: string;
  /** Its private layer while it is stopped: a folder for each served one */
  privateLayer: string;
  /** Made in the workspace by builds without a workspace server (JSON) */
  mountStubs: string;
  /** What the clone of mode `clone` was made from (JSON) */
  clone: string;
  /** Named states of its disk: a folder for each */
  snapshots: string;
  /** Its keys and host entry for ssh; absent until they are asked for */
  ssh: string;
}

interface McpPaths {
  /** Where the endpoint listens */
  socket: string;
  /** One JSON line a call */
  log: string;
  /** Servers and tools as they are (JSON) */
  state: string;
  /** Hashes of the approved tools (JSON) */
  pins: string;
  /** Why the agent's own file was not written; absent: it was */
  note: string;
}

function mcpPaths(dir: string): McpPaths {
  return {
    socket: join(dir, 'mcp'),
    log: join(dir, 'mcp.jsonl'),
    state: join(dir, 'mcp-state.json'),
    pins: join(dir, 'mcp-pins.json'),
    note: join(dir, 'mcp-note'),
  };
}

export function instancePaths(home: Home, id: string): InstancePaths {
  const dir = join(home.instances, id);
  const run = join(dir, 'run');
  const egress = join(dir, 'egress');
  return {
    dir,
    record: join(dir, 'instance.json'),
    process: join(dir, 'process.json'),
    disk: join(dir, 'disk.qcow2'),
    run,
    qmp: join(run, 'qmp'),
    agent: join(run, 'agent'),
    setup: join(run, 'setup'),
    egress,
    proxySocket: join(egress, 'proxy'),
    signerSocket: join(dir, 'signer'),
    mcp: mcpPaths(dir),
    console: join(dir, 'console.log'),
    monitorLog: join(dir, 'monitor.log'),
    audit: join(dir, 'audit.jsonl'),
    grants: join(dir, 'grants.json'),
    ports: join(dir, 'ports.json'),
    authority: join(dir, 'authority.json'),
    placeholders: join(dir, 'credential-placeholders.json'),
    workspace: join(dir, 'workspace.json'),
    suspended: join(dir, 'suspended.json'),
    memory: join(dir, 'memory'),
    workspaceState: join(dir, 'workspace-state.json'),
    privateLayer: join(dir, 'private'),
    mountStubs: join(dir, 'mount-stubs.json'),
    clone: join(dir, 'clone.json'),
    snapshots: join(dir, 'snapshots'),
    ssh: join(dir, 'ssh'),
  };
}

/** What is kept of one sandbox. */
export interface KeptPaths {
  dir: string;
  /** Whose it is (JSON) */
  owner: string;
  /** One folder for each kept path */
  folders: string;
}

export function keptPaths(home: Home, id: string): KeptPaths {
  const dir = join(home.kept, id);
  return { dir, owner: join(dir, 'owner.json'), folders: join(dir, 'folders') };
}

/** Of one sandbox. */
export interface SshPaths {
  dir: string;
  /** The host entry, in the form of ssh_config(5) */
  config: string;
  knownHosts: string;
  /** The private key of the person, and that of the server inside; each public key ends in `.pub` */
  userKey: string;
  serverKey: string;
}

export function sshPaths(home: Home, id: string): SshPaths {
  const dir = instancePaths(home, id).ssh;
  return {
    dir,
    config: join(dir, 'config'),
    knownHosts: join(dir, 'known_hosts'),
    userKey: join(dir, 'user_key'),
    serverKey: join(dir, 'server_key'),
  };
}

/** Matches the host entries of all sandboxes; an entry goes with the folder of its sandbox. */
export function sshConfigPattern(home: Home): string {
  return sshPaths(home, '*').config;
}

/** @throws SbxError `socket-path-too-long`: a Unix socket at this path could not be bound. */
export function socketPath(path: string): string {
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return path;
  throw new SbxError('socket-path-too-long', `the socket path is too long: ${path}`, {
    why: `a Unix socket's path has at most ${SOCKET_PATH_MAX} bytes, this one has ${Buffer.byteLength(path)}`,
    hint: 'set SBX_HOME to a shorter folder',
  });
}

/**
 * Step by step: Node's own recursive form never ends below a link that leads nowhere, or below /proc.
 * @throws SbxError `usage` when it cannot be made.
 */
export function ensurePrivateDir(path: string): string {
  if (isFolder(path)) return path;
  const parent = dirname(path);
  if (parent !== path) ensurePrivateDir(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it at the same time.
    if (errnoOf(error) === 'EEXIST' && isFolder(path)) return path;
    throw new SbxError('usage', `the folder ${path} cannot be made`, {
      why: error instanceof Error ? error.message : String(error),
      hint: 'set SBX_HOME to a folder that is yours to write',
      cause: error,
    });
  }
  return path;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
