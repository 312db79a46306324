/**
 * The vocabulary of the workspace policy.
 *
 * Links: the guest's kernel resolves them itself and asks for the path that they lead to, so a link with any target can be made under a name that
 * passes. The host's own programs follow them: git through `.git`, and through every file of a git folder that it reads or writes; editors and agents
 * through their settings. So under a protected name a link is as private as a file.
 */
import type { Source } from '../../spec/spec.ts';
import type { PathIndex } from './match/path-index.ts';

/**
 * - `pass`: the host's entry
 * - `hidden`: there is no such file; nothing can be made there
 * - `read-only`: reads pass, changes are refused
 * - `private`: the private layer of this sandbox first, below it the host's entry unless `lower` is false; every change goes to the layer
 */
export type WorkspaceVerdict = 'pass' | 'hidden' | 'read-only' | 'private';

export type EntryKind = 'file' | 'folder' | 'link' | 'other';

/** `link`: the entry gets another name; the new name is judged as `create`. `metadata`: mode, owner, times, extended attributes */
export type WorkspaceOperation =
  | 'lookup'
  | 'list'
  | 'read'
  | 'write'
  | 'create'
  | 'remove'
  | 'rename-from'
  | 'rename-to'
  | 'link'
  | 'metadata';

/** What decided: a line of the project's file or a built-in row. */
export interface WorkspaceRule {
  /** `hide`, `readonly`, `private`, or the identifier of a built-in rule */
  id: string;
  /** As written: `hide = [".env"]`; a built-in names its path */
  text: string;
  reason: string;
  /** Undefined: built in */
  source?: Source;
}

export interface WorkspaceDecision {
  verdict: WorkspaceVerdict;
  /** False: nothing of the host is seen at this path */
  lower: boolean;
  rule: WorkspaceRule | undefined;
}

/**
 * What the server knows when it asks. Paths are relative to the workspace, with `/` between names; the workspace itself is `''`.
 * Each is asked as late as possible. The server MUST hold the parent folder's lock from the first question to the end of the operation: two requests that
 * each create one missing part of a repository would complete it together.
 */
export interface WorkspaceFacts {
  /** The host's entry, without following any link; undefined: there is none, also below what is no folder */
  entry(path: string): EntryKind | undefined;
  /**
   * What the private layer holds. `opaque`: a folder that hides the host's folder of the same name, and everything below it. Entries that were removed
   * inside (whiteouts) are the server's own matter.
   */
  layer?(path: string): 'entry' | 'opaque' | undefined;
  /** Folders that `.git` and `commondir` files of the host name */
  pointers?: PathIndex;
  /**
   * Paths that the host reaches from a protected place: what its git config names, and where links of the host under protected names lead
   * (`.git/hooks/pre-commit` to `scripts/check`). MUST hold both what is written there and what it resolves to.
   */
  named?: PathIndex;
  /** Where links of the host with hidden names lead */
  hiddenTargets?: PathIndex;
  /** True when the server knows of a git folder below this one. Without it only the folder's own `.git` is seen. */
  gitBelow?(path: string): boolean;
  /** The strictest decision on another hard link of the same file */
  alias?: WorkspaceDecision;
}
