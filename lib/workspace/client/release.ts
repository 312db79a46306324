/** Takes guests that are gone from a server that others still use. */
import type { WorkspacePaths } from '../../paths.ts';
import { askServer } from './ask.ts';
import { linkIds, removeLink } from './link-folder.ts';

/** @param links of the guests that remain. A server that does not answer is left to its supervision. */
export async function releaseOthers(paths: WorkspacePaths, links: string[]): Promise<void> {
  for (const id of linkIds(paths).filter((one) => !links.includes(one))) {
    await release(paths, id);
    removeLink(paths, id);
  }
}

/** Of a server that this daemon has not attached a guest to. One that has ended serves none. */
export async function release({ control }: WorkspacePaths, id: string): Promise<void> {
  try {
    await askServer(control, { op: 'detach', id });
  } catch {
    // Its supervision ends one that does not answer.
  }
}
