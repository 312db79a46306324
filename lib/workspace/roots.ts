/** Checks which host folders may be mounted, alone and beside each other. */
import { realpathSync, statSync } from 'node:fs';
import { SbxError } from '../errors.ts';
import { isInside } from './paths-below.ts';

export interface RootsRequest {
  /** Real absolute path */
  path: string;
  mounts: { host: string; readonly: boolean }[];
  /** Real path of a git folder elsewhere, served for the workspace's sake */
  repository?: string | undefined;
  /** Real path of the work tree around the workspace, of which no content is served */
  top?: string | undefined;
  /** Folders that no mount may show: the state folder of sbx */
  forbidden: string[];
  /** The user's home folder: its start-up files would be writable */
  userHome: string | undefined;
}

export interface Root {
  host: string;
  real: string;
  readonly: boolean;
  isFolder: boolean;
}

const KERNEL_FOLDERS = ['/proc', '/sys', '/dev'];

/** The real paths of the extra mounts. @throws SbxError `workspace` */
export function checkRoots(request: RootsRequest): Root[] {
  const workspace = { host: request.path, real: realOf(request.path), readonly: false, isFolder: true };
  if (workspace.real !== request.path)
    throw refused(request.path, 'it is a symbolic link, or lies behind one', 'name the real folder');
  const extra = request.mounts.map(({ host, readonly }) => {
    const real = realOf(host);
    return { host, real, readonly, isFolder: statSync(real).isDirectory() };
  });
  const repository = request.repository === undefined ? [] : [repositoryRoot(request.repository)];
  const top = request.top === undefined ? [] : [repositoryRoot(request.top)];
  for (const root of [workspace, ...extra, ...repository, ...top]) checkAlone(root, request);
  for (const root of repository) checkBesideWorkspace(root, workspace.real);
  for (const root of extra) checkBesideWorkspace(root, workspace.real);
  for (const root of extra.filter(({ readonly }) => readonly)) {
    const around = extra.find((other) => !other.readonly && isInside(root.real, other.real));
    if (around !== undefined)
      throw refused(
        root.host,
        `it lies in ${around.host}, which is mounted writable`,
        'make both read-only, or both not',
      );
  }
  return extra;
}

/** What was approved is this path: a link that took its place leads elsewhere. */
function repositoryRoot(path: string): Root {
  if (realOf(path) !== path)
    throw refused(
      path,
      'it is a symbolic link, or lies behind one',
      'run `sbx apply`, which looks for the repository again',
    );
  return { host: path, real: path, readonly: false, isFolder: true };
}

function checkAlone(root: Root, { forbidden, userHome }: RootsRequest): void {
  for (const folder of forbidden.map(realOrSame))
    if (isInside(folder, root.real) || isInside(root.real, folder))
      throw refused(
        root.host,
        `it holds, or lies in, the state folder of sbx (${folder})`,
        'choose another folder, or set SBX_HOME',
      );
  if (root.real === '/' || KERNEL_FOLDERS.some((folder) => isInside(root.real, folder)))
    throw refused(root.host, 'it belongs to the system', 'choose a folder of your own');
  if (userHome !== undefined && isInside(realOrSame(userHome), root.real))
    throw refused(
      root.host,
      'it holds your whole home folder, with keys and start-up files',
      'choose a folder inside of it',
    );
}

function checkBesideWorkspace(root: Root, workspace: string): void {
  if (root.real !== workspace && isInside(workspace, root.real))
    throw refused(
      root.host,
      'it holds the workspace: its protected and hidden paths would be open',
      'mount a smaller folder',
    );
  if (isInside(root.real, workspace))
    throw refused(
      root.host,
      'it lies in the workspace: a second way would open its protected and hidden paths',
      'remove the entry from [[mounts]]',
    );
}

function refused(path: string, why: string, hint: string): SbxError {
  return new SbxError('workspace', `${path} cannot be shown to a sandbox`, { why, hint });
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new SbxError('workspace', `there is no ${path}`, { hint: 'make it, or correct the path', cause });
  }
}

function realOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
