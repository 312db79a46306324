/** Whether a guest still has the folders that the host has under their paths, and a server. */
import { folderId, type KnownFolder } from './guest-record.ts';

export type WorkspaceState =
  | { is: 'served' }
  /** Another folder has the path now, or none: the guest keeps the earlier one */
  | { is: 'gone' | 'replaced'; path: string }
  /** A server starts again by itself, if it can */
  | { is: 'lost' };

/** The first difference; undefined: all are there. */
export function changedFolder(folders: KnownFolder[]): WorkspaceState | undefined {
  for (const { path, id } of folders) {
    const now = idOf(path);
    if (now !== id) return { is: now === undefined ? 'gone' : 'replaced', path };
  }
  return undefined;
}

function idOf(path: string): string | undefined {
  try {
    return folderId(path);
  } catch {
    return undefined;
  }
}
