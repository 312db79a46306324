/** Explains what a running sandbox gets at a path of the host: see `sbx workspace check`. */
import { basename } from 'node:path';
import { SbxError } from '../../../errors.ts';
import type { Home } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { PathExplanation } from '../../../workspace/client/ask.ts';
import type { ServedFolder } from '../../../workspace/client/served-folders.ts';
import type { FolderPath, WorkspaceServers } from '../../../workspace/client/servers.ts';
import { servedFolders } from '../../../workspace/folders.ts';
import { isInside } from '../../../workspace/paths-below.ts';
import { guestOf } from './workspaces.ts';

/**
 * @param path absolute on the host; a slash at the end of what does not exist says that a folder is meant
 * @returns undefined when the sandbox is not served; @throws SbxError `workspace`, `not-found`
 */
export async function explainHostPath(
  { home, workspaces }: { home: Home; workspaces: WorkspaceServers },
  { id, spec, path }: { id: string; spec: SandboxSpec; path: string },
): Promise<PathExplanation | undefined> {
  const { folders } = await servedFolders(spec, [home.root]);
  const place = placeOf(folders, path);
  if (place === undefined)
    throw new SbxError('not-found', `${spec.name} has no such path: ${path}`, {
      why: 'it lies outside of the workspace and of [[mounts]]: nothing there is served to the sandbox',
    });
  return workspaces.explain(guestOf(home, id), place);
}

/** The innermost folder that has the path: a mount may lie in the workspace. */
export function placeOf(folders: ServedFolder[], path: string): FolderPath | undefined {
  const holding = folders.filter((folder) => isInside(path, folder.path));
  const [inner] = holding.toSorted((a, b) => b.path.length - a.path.length);
  if (inner === undefined) return undefined;
  return { folder: inner.name, path: inner.isFile ? basename(inner.path) : path.slice(inner.path.length + 1) };
}
