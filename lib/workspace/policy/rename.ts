/** Judges a rename: neither a path nor what lies below it may get out of its rules, or be put under the name of a protected one. */
import type { WorkspacePolicy } from './compile.ts';
import { decideAt, strictest, walkPath } from './decide.ts';
import type { Walk } from './findings.ts';
import { isFreeOfRows, isGitFolder, joinPath } from './git-place.ts';
import type { EntryKind, WorkspaceDecision, WorkspaceFacts, WorkspaceRule } from './types.ts';

/**
 * - `pass`: on the host
 * - `private`: both names are the private layer's
 * - `copy`: EXDEV, so that `mv` copies what the guest may see and removes what it may remove
 * - `refuse`: EPERM, or EROFS for a read-only path
 */
export interface RenameVerdict {
  verdict: 'pass' | 'private' | 'copy' | 'refuse';
  rule: WorkspaceRule | undefined;
}

export interface RenameRequest {
  from: string;
  to: string;
  /** Of the entry that moves. An exchange of two is two renames. */
  kind: EntryKind;
  facts: WorkspaceFacts;
}

export function judgeRename(policy: WorkspacePolicy, { from, to, kind, facts }: RenameRequest): RenameVerdict {
  const source = walkPath(policy, { path: from, kind, facts });
  const target = walkPath(policy, { path: to, kind, facts });
  if (source === undefined || target === undefined) return { verdict: 'refuse', rule: undefined };
  const own = judgeNames({
    leaving: strictest([decideAt(source, 'rename-from'), ...(facts.alias === undefined ? [] : [facts.alias])]),
    arriving: decideAt(target, 'rename-to'),
    isDotGit: policy.fold(from.slice(from.lastIndexOf('/') + 1)) === policy.fold('.git'),
    hasLower: kind === 'folder' && facts.entry(from) !== undefined,
  });
  if (own.verdict !== 'pass' || kind !== 'folder') return own;
  return judgeFolder({ policy, source, target, facts });
}

interface NamesRename {
  leaving: WorkspaceDecision;
  arriving: WorkspaceDecision;
  isDotGit: boolean;
  /** A folder of which a part is the host's */
  hasLower: boolean;
}

function judgeNames({ leaving, arriving, isDotGit, hasLower }: NamesRename): RenameVerdict {
  for (const { verdict, rule } of [leaving, arriving])
    if (verdict === 'hidden' || verdict === 'read-only') return { verdict: 'refuse', rule };
  const rule = leaving.rule ?? arriving.rule;
  if (leaving.verdict === 'private' && leaving.lower && isDotGit) return { verdict: 'refuse', rule };
  // The layer moves what it has, and takes a file of the host up first.
  if (leaving.verdict === 'private' && arriving.verdict === 'private')
    return { verdict: leaving.lower && hasLower ? 'copy' : 'private', rule };
  return { verdict: leaving.verdict === 'pass' && arriving.verdict === 'pass' ? 'pass' : 'copy', rule };
}

interface FolderRename {
  policy: WorkspacePolicy;
  source: Walk;
  target: Walk;
  facts: WorkspaceFacts;
}

/** A folder moves as a whole only where the same rules cover everything below both names. */
function judgeFolder(rename: FolderRename): RenameVerdict {
  const { policy, source, target, facts } = rename;
  const copy = (id: string, text: string, reason: string): RenameVerdict => ({
    verdict: 'copy',
    rule: { id, text, reason },
  });
  const changed = policy.patterns.find((_, at) => source.states[at]?.join() !== target.states[at]?.join());
  if (changed !== undefined) return { verdict: 'copy', rule: changed.rule };
  for (const { folded, path } of [source, target])
    if (isAboveNamed(rename, folded)) return copy('git-named', path, 'something below it is protected by its path');
  if (policy.has('place') && !hasSameRules(rename))
    return copy('place', target.path, 'other built-in rules cover what is below it');
  if (policy.has('git-keep') && holdsGit(source.path, facts))
    return copy('git-keep', source.path, 'relative paths in the config of its repository would name other files');
  return { verdict: 'pass', rule: undefined };
}

function isAboveNamed({ policy, facts }: FolderRename, folded: string): boolean {
  const { configFiles, openPaths } = policy;
  const above = [...openPaths].some((path) => path.startsWith(`${folded}/`));
  return (
    above ||
    [configFiles, facts.named, facts.hiddenTargets, facts.pointers].some(
      (index) => index?.parents.has(folded) || index?.paths.has(folded),
    )
  );
}

function hasSameRules({ policy: { fold, gitRows }, source, target }: FolderRename): boolean {
  if (source.isOpen !== target.isOpen || source.inPackages !== target.inPackages) return false;
  if (source.place.in === 'tree' || target.place.in === 'tree') return source.place.in === target.place.in;
  if (source.place.in === 'modules' || target.place.in === 'modules') return false;
  const isFree = isFreeOfRows(gitRows, source.place.rest, fold) && isFreeOfRows(gitRows, target.place.rest, fold);
  return isFree && source.place.root === target.place.root;
}

function holdsGit(path: string, facts: WorkspaceFacts): boolean {
  return (
    facts.entry(joinPath(path, '.git')) !== undefined || isGitFolder(path, facts) || facts.gitBelow?.(path) === true
  );
}
