/** The host entry of a sandbox for ssh_config(5), and the line for its server's key. Pure. */
import { SbxError } from '../errors.ts';
import type { SshPaths } from '../paths.ts';

export interface SandboxName {
  id: string;
  name: string;
  project: string;
}

export interface EntryOptions {
  sandbox: SandboxName;
  /** Every host name of the entry, the first one is shown */
  hosts: readonly string[];
  paths: Pick<SshPaths, 'userKey' | 'knownHosts'>;
  /** The state folder */
  home: string;
  /** Path of the program `sbx`, and the folder of the Node that runs it: an editor's PATH may lack it */
  program: string;
  nodeDir: string;
}

const USER = 'agent';

/** Letters of any language, digits and what neither ssh nor a shell expands between quotes */
const PLAIN_PATH = /^\/[\p{L}\p{N} ._/@+,:=~-]*$/u;

/**
 * Names in the form NAME.PROJECT.sbx, and ID.sbx; only the latter where `all` has another sandbox of this name and project.
 */
export function hostNames(sandbox: SandboxName, all: readonly SandboxName[]): string[] {
  const readable = `${sandbox.name}.${sandbox.project}`;
  const taken = all.some(({ id, name, project }) => id !== sandbox.id && `${name}.${project}` === readable);
  const usable = /^[a-z0-9-]+\.[a-z0-9-]+$/.test(readable) && !taken;
  return [...(usable ? [`${readable}.sbx`] : []), `${sandbox.id}.sbx`];
}

/**
 * ssh takes the first value of an option: whatever the person's own `Host *` says after it, the sandbox gets no agent, no X11, no other key.
 * Options on the command line win, so that `ssh -A` still forwards the agent.
 * @throws SbxError `usage` for a path that ssh or the shell would change.
 */
export function hostEntry({ sandbox, hosts, paths, home, program, nodeDir }: EntryOptions): string {
  for (const path of [paths.userKey, paths.knownHosts, home, program, nodeDir]) checkPath(path);
  // The first would be taken for a variable, the second for two folders.
  checkPath(program, '=');
  checkPath(nodeDir, ':');
  const options = [
    `ProxyCommand /usr/bin/env SBX_HOME='${home}' PATH='${nodeDir}':"$PATH" '${program}' ssh-proxy ${sandbox.id}`,
    `User ${USER}`,
    `IdentityFile "${paths.userKey}"`,
    'IdentitiesOnly yes',
    'PreferredAuthentications publickey',
    `HostKeyAlias ${aliasOf(sandbox.id)}`,
    `UserKnownHostsFile "${paths.knownHosts}"`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    'CanonicalizeHostname no',
    'ForwardAgent no',
    'ForwardX11 no',
    'ForwardX11Trusted no',
    'PermitLocalCommand no',
    'Tunnel no',
    'ServerAliveInterval 30',
  ];
  return [`Host ${hosts.join(' ')}`, ...options.map((line) => `  ${line}`), ''].join('\n');
}

/** `publicKey`: its line, `ssh-ed25519 AAAA… comment`. */
export function knownHostsLine(id: string, publicKey: string): string {
  const [type = '', key = ''] = publicKey.trim().split(' ');
  return `${aliasOf(id)} ${type} ${key}\n`;
}

/** The line of the person's own file. @throws SbxError `usage`, as `hostEntry`. */
export function includeLine(pattern: string): string {
  checkPath(pattern.replace('*', ''));
  return `Include "${pattern}"`;
}

function aliasOf(id: string): string {
  return `${id}.sbx`;
}

function checkPath(path: string, without = '\0'): void {
  if (PLAIN_PATH.test(path) && !path.includes(without)) return;
  throw new SbxError('usage', `ssh cannot use the path ${JSON.stringify(path)}`, {
    why: 'ssh and the shell would change quotes, backslashes, percent signs and other special characters in it',
    hint: 'set SBX_HOME to a folder without them, or install sbx into one',
  });
}
