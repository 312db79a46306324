/** Decides what one operation of the guest on one path of the workspace gets. */
import type { WorkspacePolicy } from './compile.ts';
import type { Finding, Walk } from './findings.ts';
import type { EntryKind, WorkspaceDecision, WorkspaceFacts, WorkspaceOperation } from './types.ts';
import { startWalk, walkTo } from './walk.ts';

export interface WorkspaceRequest {
  /** Relative to the workspace, as the guest's kernel resolved it: no link, no `.` or `..` on the way. `''`: the workspace itself */
  path: string;
  /** Of the entry, or of the one to be made; undefined: the host's entry, or else the kind that the strictest answer is for */
  kind?: EntryKind | undefined;
  operation: WorkspaceOperation;
  facts: WorkspaceFacts;
}

const READS: readonly WorkspaceOperation[] = ['lookup', 'list', 'read'];
const PASS: WorkspaceDecision = { verdict: 'pass', lower: true, rule: undefined };
/** Not a path that a kernel sends: fail closed */
const NO_PATH: WorkspaceDecision = {
  verdict: 'hidden',
  lower: false,
  rule: { id: 'no-path', text: 'path', reason: 'it is no path below the workspace' },
};

/**
 * Needs the names of the path and the facts on its way; never what lies below or beside it. See lib/workspace/server/walk-memo.ts for many questions at a time.
 */
export function decideWorkspace(policy: WorkspacePolicy, request: WorkspaceRequest): WorkspaceDecision {
  return decideWalk(walkPath(policy, request), request.operation, request.facts.alias);
}

/** @param walk of the path; undefined: it is none */
export function decideWalk(
  walk: Walk | undefined,
  operation: WorkspaceOperation,
  alias: WorkspaceDecision | undefined = undefined,
): WorkspaceDecision {
  if (walk === undefined) return NO_PATH;
  return alias === undefined ? decideAt(walk, operation) : strictest([decideAt(walk, operation), alias]);
}

export function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0');
}

/** Undefined for what is no path below the workspace. */
export function walkPath(
  policy: WorkspacePolicy,
  { path, kind, facts }: Pick<WorkspaceRequest, 'path' | 'kind' | 'facts'>,
): Walk | undefined {
  const names = path === '' ? [] : path.split('/');
  if (!names.every(isName)) return undefined;
  let walk = startWalk(policy, facts);
  for (const [at, name] of names.entries()) {
    const isLast = at === names.length - 1;
    walk = walkTo(policy, { above: walk, name, facts, kind: isLast ? (kind ?? facts.entry(path)) : 'folder' });
  }
  return walk;
}

export function decideAt(walk: Walk, operation: WorkspaceOperation): WorkspaceDecision {
  const isRead = READS.includes(operation);
  const applies = ({ verdict, operations }: Finding) =>
    (operations === undefined || operations.includes(operation)) && !(isRead && verdict === 'read-only');
  return strictest([PASS, ...walk.findings.filter(applies)]);
}

export function strictest(decisions: readonly (WorkspaceDecision | Finding)[]): WorkspaceDecision {
  const { verdict, lower, rule } = decisions.reduce((a, b) => (strength(b) > strength(a) ? b : a), PASS);
  return { verdict, lower, rule };
}

const STRENGTH = { pass: 0, private: 1, 'read-only': 3, hidden: 4 } as const;

function strength({ verdict, lower }: WorkspaceDecision | Finding): number {
  return STRENGTH[verdict] + (verdict === 'private' && !lower ? 1 : 0);
}
