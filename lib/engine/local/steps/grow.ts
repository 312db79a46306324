/** Makes the disk of a running VM larger, with the file system on it. */
import { instancePaths } from '../../../paths.ts';
import { growFileSystem } from '../disk/grow-file-system.ts';
import { ROOT_DISK } from '../vm/resume-clone.ts';
import type { StepHandler } from './step-deps.ts';

/** A guest that answers does so at once */
const ANSWER_MS = 10_000;

/** Cut off between the two, the next run continues: a disk of the right size stays as it is, a file system that fills it, too. */
export const grow: StepHandler<'grow'> = async (deps, { spec }, { id, signal }) => {
  const paths = instancePaths(deps.home, id);
  // The next start makes it larger before the guest runs, and the guest its file system.
  if (deps.driver.find(paths) === undefined) return;
  const bytes = spec.resources.diskBytes;
  await deps.driver.growDisk(paths, { index: ROOT_DISK, bytes }, signal);
  const guest = await deps.guests.connect(id, paths.agent, { fresh: false, timeoutMs: ANSWER_MS, signal });
  await growFileSystem(guest, { name: spec.name, bytes, signal });
};
