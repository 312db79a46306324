/** Bodies of the daemon's HTTP API about the work in a sandbox: diff, accept, fetch. Types only. */

export interface AcceptRequest {
  /** Absolute on the host */
  path: string;
  version: ChangeVersion;
}

export interface DiffResult {
  diff: string;
  /** Absent for a clone */
  changes?: PrivateChangeInfo[];
  /** There is more */
  isPartial?: boolean;
  /** `[agent] keep`: folders whose content is not shown, and is not lost */
  kept?: string[];
}

export interface DiffRequest {
  /** Only at and below this path, absolute */
  path?: string | undefined;
  /** Only the changes, in full, for `git apply` */
  patch: boolean;
}

export interface FetchRequest {
  /** Branch, tag or commit in the sandbox; default: HEAD */
  revision?: string;
  /** Replaces the host's branch if it has other commits */
  force: boolean;
}

export interface FetchResult {
  branch: string;
  commit: string;
  commits: number;
  files: number;
  /** What to look at before the branch is used: links, submodules, attributes */
  notes: string[];
}

/** A change that only the sandbox has */
interface PrivateChangeInfo {
  /** Of the workspace relative, else absolute on the host. MUST be made safe before it is shown */
  path: string;
  kind: 'file' | 'folder' | 'link' | 'special' | 'removed';
  /** In bytes */
  size: number;
  files: number;
  /** Not safe to show */
  diff?: string;
  /** What `diff` showed, for `accept`; absent: it cannot be taken over */
  version?: ChangeVersion;
}

/** Hashes of the contents; null: there was no file */
interface ChangeVersion {
  layer: string | null;
  host: string | null;
}
