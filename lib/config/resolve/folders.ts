/** Resolves the host folders that a sandbox sees: real paths, none of which exposes the whole host. */
import { realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { MountSpec, Source } from '../../spec/spec.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** System folders that cannot be a project */
const SYSTEM = new Set(
  '/ /bin /boot /dev /etc /home /lib /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var'.split(' '),
);
/** Guest folders that belong to the system */
const TAKEN = new Set(
  '/ /bin /boot /dev /etc /home /lib /lib64 /opt/sbx /proc /run /sbin /sys /tmp /usr /var'.split(' '),
);
const TAKEN_BELOW = ['/dev/', '/proc/', '/sys/', '/opt/sbx/'];

export async function workspaceOf({ config, sources, dir, host }: SandboxInput): Promise<string> {
  const wanted = config.workspace?.path ?? '.';
  const source = sources['workspace.path'];
  const path = await realpath(resolve(dir, expandHome(wanted, host.home))).catch(() => undefined);
  if (path === undefined || !(await stat(path)).isDirectory())
    throw problem(source, `workspace.path: ${wanted} is not a folder`, { hint: 'use the path of an existing folder' });
  const home = await realpath(host.home).catch(() => host.home);
  if (SYSTEM.has(path) || isInside(home, path))
    throw problem(source, `workspace.path: ${path} cannot be a workspace`, {
      why: SYSTEM.has(path) ? 'it is a system folder' : 'it is or contains your home folder',
      hint: 'use the folder of one project: everything in it is visible to the agent',
    });
  const state = host.stateDir === undefined ? undefined : await realpath(host.stateDir).catch(() => host.stateDir);
  if (state !== undefined && (isInside(state, path) || isInside(path, state)))
    throw problem(source, `workspace.path: ${path} cannot be a workspace`, {
      why: `it contains, or is in, the state folder of sbx (${state})`,
      hint: 'use another folder, or set SBX_HOME',
    });
  return path;
}

/** False for folders that hold the home folder or the system, and for those of the state folder. */
export async function isShowable(path: string, { home, stateDir }: SandboxInput['host']): Promise<boolean> {
  const real = (folder: string) => realpath(folder).catch(() => folder);
  if (SYSTEM.has(path) || isInside(await real(home), path)) return false;
  if (stateDir === undefined) return true;
  const state = await real(stateDir);
  return !isInside(state, path) && !isInside(path, state);
}

export async function mountsOf(input: SandboxInput): Promise<MountSpec[]> {
  const mounts: MountSpec[] = [];
  for (const [index, mount] of (input.config.mounts ?? []).entries()) {
    const source = input.sources[`mounts[${index}]`] ?? 'default';
    const guest = join(mount.guest, '.').replace(/(.)\/$/, '$1');
    if (TAKEN.has(guest) || TAKEN_BELOW.some((folder) => guest.startsWith(folder)))
      throw problem(source, `mounts: ${guest} cannot be a mount point`, {
        why: 'the system of the sandbox needs this path',
        hint: 'use a path such as /data',
      });
    if (mounts.some((other) => other.guest === guest))
      throw problem(source, `mounts: two mounts at ${guest}`, { hint: 'use another guest path for one of them' });
    const host = await realpath(fromFile(mount.host, source, input)).catch(() => undefined);
    if (host === undefined)
      throw problem(source, `mounts: ${mount.host} does not exist`, {
        hint: 'use the path of a folder or file of the host',
      });
    mounts.push({ host, guest, readonly: mount.readonly ?? true, source });
  }
  return mounts;
}

/** Resolves a path relative to the file that sets it; `~` is the user's home. */
export function fromFile(path: string, source: Source | undefined, { dir, host }: SandboxInput): string {
  const folder = source === undefined || source === 'default' ? dir : dirname(source.file);
  return resolve(folder, expandHome(path, host.home));
}

function expandHome(path: string, home: string): string {
  return path === '~' ? home : path.startsWith('~/') ? join(home, path.slice(2)) : path;
}

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
