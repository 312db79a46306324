/** A clone that waits for whoever wants a fresh sandbox: resumed, its workspace mounted, its agent awake; without a name, a door or a word of anybody's. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { verifyImage } from '../../../image/warm/warm-image.ts';
import { instancePaths } from '../../../paths.ts';
import { allOrAbort } from '../../../system/all-or-abort.ts';
import { ANSWER_MS, assignIdentity, newIdentity } from '../vm/assign-identity.ts';
import type { VmDeps } from '../vm/deps.ts';
import { type CloneRequest, mustShow, type ResumedVm, resumeClone } from '../vm/resume-clone.ts';
import { type PreparedWorkspace, prepareWorkspace, releaseWorkspace } from '../vm/workspaces.ts';

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

/** Everything that takes time and is the same for all. What fails, or is given up, leaves nothing. */
export async function makePooled(deps: VmDeps, request: CloneRequest): Promise<PooledClone> {
  const { id, image, signal } = request;
  const paths = instancePaths(deps.home, id);
  try {
    mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
    await verifyImage(deps.image, image);
    const machine = await resumeClone(deps, request);
    const nobody = newIdentity({ hostname: 'sbx', mounts: machine.workspace.guestMounts, ca: '' });
    await allOrAbort(signal, (both) => [
      deps.guests.connect(id, paths.agent, { fresh: true, timeoutMs: ANSWER_MS, signal: both }),
      // Not the last: it becomes somebody later, and the way through the helper is known then.
      assignIdentity(paths.setup, nobody, { last: false, signal: both }),
    ]);
    deps.watches.start(id, machine.vm.pid, machine.workspace);
    return { id, ...machine };
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
  deps.watches.stop(id);
  await deps.guests.drop(id);
  await deps.driver.destroy(paths);
  await releaseWorkspace(deps.home, id);
  rmSync(paths.dir, { recursive: true, force: true });
}

export interface Claim extends CloneRequest {
  /** Opens the door of the sandbox, whose folder is there */
  openEgress: () => Promise<void>;
}

/**
 * The clone becomes the machine of a sandbox that has none. Undefined, and the clone has ended: the workspace is not any more what it was
 * made for, for example since a file has come that is to be hidden. Cut off anywhere, it ends with the pool of the daemon before.
 */
export async function claim(deps: VmDeps, clone: PooledClone, claimed: Claim): Promise<ResumedVm | undefined> {
  const { id, spec } = claimed;
  const [from, to] = [instancePaths(deps.home, clone.id), instancePaths(deps.home, id)];
  deps.watches.stop(clone.id);
  try {
    const workspace = await prepareWorkspace(deps.home, id, spec);
    if (!(await shows(clone, workspace))) {
      await endPooled(deps, clone.id);
      return undefined;
    }
    deps.driver.move(from, to);
    renameSync(from.disk, to.disk);
    deps.guests.rename(clone.id, id);
    rmSync(from.dir, { recursive: true, force: true });
    await claimed.openEgress();
    return { vm: clone.vm, workspace };
  } catch (error) {
    await deps.driver.destroy(to);
    await endPooled(deps, clone.id);
    throw error;
  }
}

async function shows(clone: PooledClone, workspace: PreparedWorkspace): Promise<boolean> {
  if (JSON.stringify(workspace.jailMounts) !== JSON.stringify(clone.workspace.jailMounts)) return false;
  return mustShow(clone.vm, workspace).then(
    () => true,
    () => false,
  );
}
