/** Serves a sandbox its workspace and its mounts, by a workspace server. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Home, instancePaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { noteGuestFolders } from '../../../system/guest-folders.ts';
import { ownLinkOf, WORKSPACE_LINK } from '../../../vm/driver.ts';
import type { Guest, WorkspaceServers } from '../../../workspace/client/servers.ts';
import { type ServedFolders, servedFolders } from '../../../workspace/folders.ts';
import { refuseMounts } from './clone-workspace.ts';
import { keptFolders } from './kept.ts';

export interface AttachedWorkspace {
  /** Host folder for the VM's jail: the server and QEMU meet in it. Undefined: nothing of the host is served */
  link: string | undefined;
  /** What the guest mounts: below what is served, and where to */
  guestMounts: { source: string; target: string }[];
}

interface Deps {
  home: Home;
  workspaces: WorkspaceServers;
}

/** By id: the spec whose rules are in force, for guests that this daemon attached. What changes outside of the spec is followed. */
const inForce = new WeakMap<WorkspaceServers, Map<string, SandboxSpec>>();

/** Also after a change of its rules: they are in force at once. @param owner the sandbox whose kept folders it gets @throws SbxError `workspace` */
export async function attachWorkspace(
  { home, workspaces }: Deps,
  id: string,
  { spec, owner = id }: { spec: SandboxSpec; owner?: string | undefined },
): Promise<AttachedWorkspace> {
  const served = await foldersOf(home, owner, spec);
  return attachFolders({ home, workspaces }, id, { spec, served });
}

/** What `attachWorkspace` serves. @throws SbxError `workspace` */
export async function foldersOf(home: Home, owner: string, spec: SandboxSpec): Promise<ServedFolders> {
  if (spec.workspace.mode === 'clone') refuseMounts(spec);
  return servedFolders(spec, [home.root], await keptFolders(home, owner, spec));
}

/** `served`: the folders of this spec, listed just now. */
export async function attachFolders(
  { home, workspaces }: Deps,
  id: string,
  { spec, served: { folders, guestMounts } }: { spec: SandboxSpec; served: ServedFolders },
): Promise<AttachedWorkspace> {
  inForce.get(workspaces)?.delete(id);
  if (folders.length === 0) return { link: undefined, guestMounts };
  const written = folders.filter(({ readonly }) => !readonly).map(({ path }) => path);
  noteGuestFolders(home.guestFolders, written);
  const { link } = await workspaces.attach(guestOf(home, id), folders);
  if (!inForce.has(workspaces)) inForce.set(workspaces, new Map());
  inForce.get(workspaces)?.set(id, spec);
  return { link, guestMounts };
}

/** Puts the rules of the spec into force where another's are. @throws SbxError `workspace` */
export async function ensureRules(deps: Deps, id: string, spec: SandboxSpec): Promise<void> {
  if (!isDeepStrictEqual(inForce.get(deps.workspaces)?.get(id), spec)) await attachWorkspace(deps, id, { spec });
}

/** After the VM has ended. */
export async function detachWorkspace({ home, workspaces }: Deps, id: string): Promise<void> {
  inForce.get(workspaces)?.delete(id);
  await workspaces.detach(guestOf(home, id));
}

/** Before the VM is paused: what the guest has open is kept for the next `attachWorkspace`. `isWaiting`: it has not continued since. */
export async function suspendWorkspace(
  { home, workspaces }: Deps,
  id: string,
  { isWaiting = false } = {},
): Promise<void> {
  inForce.get(workspaces)?.delete(id);
  await workspaces.suspend(guestOf(home, id), { isWaiting });
}

/** File of the guest's mailbox on the host */
export function mailboxOf({ home, workspaces }: Deps, id: string): string {
  const link = workspaces.linkOf(guestOf(home, id)) ?? ownLinkOf(instancePaths(home, id));
  return join(link, WORKSPACE_LINK.mailbox);
}

export function guestOf(home: Home, id: string): Guest {
  const { workspace, privateLayer, workspaceState } = instancePaths(home, id);
  return { id, recordFile: workspace, privateLayer, stateFile: workspaceState };
}
