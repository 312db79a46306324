/** Takes guests that are gone from a server that others still use. */
import type { WorkspacePaths } from '../../paths.ts';
import { askServer } from './ask.ts';
import { linkIds, removeLink } from './link-folder.ts';

/** @param links of the guests that remain. A server that does not answer is left to its supervision. */
export async function releaseOthers(paths: WorkspacePaths, links: string[]): Promise<void> {
  for (const id of linkIds(paths).filter((one) => !links.includes(one))) {
    await detached(paths, id).catch(() => {});
    removeLink(paths, id);
  }
}

/** Rejects, too, where there is no socket: `askServer` is inside of the promise. */
async function detached({ control }: WorkspacePaths, id: string): Promise<void> {
  await askServer(control, { op: 'detach', id });
}
