/** A clone of the warm pool: resumed and idle, its workspace mounted; no hostname, no proxy socket, no user input. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync } from 'node:fs';
import { verifyImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import { allOrAbort } from '../../../system/all-or-abort.ts';
import { removeTree } from '../../../system/remove-tree.ts';
import type { ServedFolders } from '../../../workspace/folders.ts';
import { ANSWER_MS, assignIdentity, newIdentity } from '../vm/assign-identity.ts';
import type { VmDeps } from '../vm/deps.ts';
import { type CloneRequest, type ResumedVm, resumeClone } from '../vm/resume-clone.ts';
import { runOnce } from '../vm/run-once.ts';
import { attachFolders, detachWorkspace, foldersOf, guestOf } from '../workspace/workspaces.ts';

export interface PooledClone extends ResumedVm {
  /** Of its folder, beside those of the sandboxes */
  id: string;
}

const PREFIX = 'pool-';

export function isPooled(id: string): boolean {
  return id.startsWith(PREFIX);
}

export function newPooledId(): string {
  return `${PREFIX}${randomBytes(6).toString('hex')}`;
}

/** Does everything that takes time and is the same for all sandboxes. A clone that fails or is cancelled leaves nothing. */
export async function makePooled(deps: VmDeps, request: CloneRequest): Promise<PooledClone> {
  const { id, image, signal } = request;
  const paths = instancePaths(deps.home, id);
  try {
    mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
    await verifyImage(deps.image, image);
    const resumed = await resumeClone(deps, request);
    const anonymous = newIdentity({
      hostname: 'sbx',
      mounts: resumed.workspace.guestMounts,
      ca: '',
      git: '',
      docker: false,
    });
    const [guest] = await allOrAbort(signal, (both) => [
      deps.guests.connect(id, paths.agent, { fresh: true, timeoutMs: ANSWER_MS, signal: both }),
      // Not the last: a sandbox assigns its own later, by a setup helper that is warm then.
      assignIdentity(paths.setup, anonymous, { last: false, signal: both }),
    ]);
    await runOnce(guest);
    return { id, ...resumed };
  } catch (error) {
    await endPooled(deps, id);
    throw error;
  }
}

export function isAlive(deps: VmDeps, { id, vm }: PooledClone): boolean {
  const found = deps.driver.find(instancePaths(deps.home, id));
  return found?.pid === vm.pid && deps.guests.get(id) !== undefined;
}

export async function endPooled(deps: VmDeps, id: string): Promise<void> {
  const paths = instancePaths(deps.home, id);
  await deps.guests.drop(id);
  await deps.driver.destroy(paths);
  await detachWorkspace(deps, id);
  removeTree(paths.dir);
}

export interface Claim extends CloneRequest {
  /** Opens the sandbox's egress proxy, once its folder exists */
  openEgress: () => Promise<void>;
}

/**
 * Makes the clone the VM of a sandbox that has none. Undefined, and the clone has ended: a folder was replaced since it was made.
 * Cut off anywhere, it ends with the pool of its daemon.
 */
export async function claim(deps: VmDeps, clone: PooledClone, request: Claim): Promise<ResumedVm | undefined> {
  const { id, spec } = request;
  const [from, to] = [instancePaths(deps.home, clone.id), instancePaths(deps.home, id)];
  try {
    const served = await foldersOf(deps.home, id, spec);
    if (!fits(deps, clone, served)) {
      await endPooled(deps, clone.id);
      return undefined;
    }
    deps.driver.move(from, to);
    deps.workspaces.move(guestOf(deps.home, clone.id), guestOf(deps.home, id));
    renameSync(from.disk, to.disk);
    deps.guests.rename(clone.id, id);
    removeTree(from.dir);
    const [workspace] = await allOrAbort(request.signal, () => [
      attachFolders(deps, id, { spec, served }),
      request.openEgress(),
    ]);
    return { vm: clone.vm, workspace };
  } catch (error) {
    await deps.driver.destroy(to);
    await endPooled(deps, clone.id);
    throw error;
  }
}

/** False when a folder was replaced since the clone was made. One without folders of the host fits always. */
function fits(deps: VmDeps, clone: PooledClone, { folders }: ServedFolders): boolean {
  return folders.length === 0 || deps.workspaces.serves(guestOf(deps.home, clone.id), folders);
}
