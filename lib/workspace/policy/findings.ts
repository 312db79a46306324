/** What a walk along a path collects. */
import type { WorkspacePolicy } from './compile.ts';
import type { Place } from './git-place.ts';
import type { PatternState } from './path-pattern.ts';
import type { EntryKind, WorkspaceFacts, WorkspaceOperation, WorkspaceRule } from './types.ts';

/** A rule that covers a path. */
export interface Finding {
  verdict: 'hidden' | 'read-only' | 'private';
  lower: boolean;
  rule: WorkspaceRule;
  /** Undefined: all of them, and everything below as well. Otherwise for this path alone. */
  operations?: readonly WorkspaceOperation[];
}

/** All that matters of the names so far. */
export interface Walk {
  path: string;
  folded: string;
  states: readonly PatternState[];
  /** An `unprotect` entry covers it */
  isOpen: boolean;
  inPackages: boolean;
  place: Place;
  /** At most one of each strength is kept from the folders above. */
  findings: readonly Finding[];
}

/** One name further down. */
export interface Step {
  policy: WorkspacePolicy;
  facts: WorkspaceFacts;
  above: Walk;
  path: string;
  name: string;
  folded: string;
  /** Of the entry, or of the one to be made */
  kind: EntryKind | undefined;
}
