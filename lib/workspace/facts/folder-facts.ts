/** Reads one folder of the host for what its names make hidden or protected elsewhere. */
import type { WorkspacePolicy } from '../policy/compile.ts';
import { decideAt, strictest, walkPath } from '../policy/decide.ts';
import type { Walk } from '../policy/findings.ts';
import type { EntryKind, WorkspaceDecision, WorkspaceFacts } from '../policy/types.ts';
import { walkTo } from '../policy/walk.ts';
import type { Entry, Folder, HostTree } from './host-tree.ts';
import { isPlainName } from './plain-name.ts';
import { joined, type RepositoryFacts, repositoryFacts } from './repository.ts';

export interface FolderFacts {
  repository: RepositoryFacts | undefined;
  isGitFolder: boolean;
  hasGit: boolean;
  /** Where its links with hidden names lead */
  hiddenTargets: string[];
  /** Where its links with protected names lead */
  named: string[];
  /** Decisions on its files with hidden or protected names, by identity */
  aliases: Map<string, WorkspaceDecision>;
  folders: string[];
}

interface FolderRequest {
  policy: WorkspacePolicy;
  host: HostTree;
  path: string;
  folder: Folder;
  /** Without `entry`, which the folder itself answers */
  facts: Omit<WorkspaceFacts, 'entry'>;
}

export function readFolderFacts({ policy, host, path, folder, facts }: FolderRequest): FolderFacts {
  const entries = folder.entries();
  const names = new Set(entries.map(({ name }) => policy.fold(name)));
  const has = (name: string) => names.has(policy.fold(name));
  const hasGit = names.has(policy.dotGit);
  const isGitFolder = has('HEAD') && (has('commondir') || (has('objects') && has('refs')));
  // The git folder of a work tree is read with its tree, from which its paths count.
  const isBare = isGitFolder && !/(^|\/)\.git$/.test(path);
  const found: FolderFacts = {
    repository: hasGit || isBare ? repositoryFacts(host, path, !hasGit) : undefined,
    isGitFolder,
    hasGit,
    hiddenTargets: [],
    named: [],
    aliases: new Map(),
    folders: entries.filter(({ kind }) => kind === 'folder').map(({ name }) => joined(path, name)),
  };
  const entry = entryOf(host, path, entries);
  const known = { ...facts, entry };
  const above = walkPath(policy, { path, kind: 'folder', facts: known });
  const plain = walkPath(policy, { path, kind: 'folder', facts: { entry } });
  if (above === undefined || plain === undefined) return found;
  for (const { name, kind } of entries)
    if (kind !== 'folder') readName({ policy, host, path, folder, facts: known, above, plain, found }, name, kind);
  return found;
}

interface NameRequest extends FolderRequest {
  facts: WorkspaceFacts;
  above: Walk;
  /** As `above`, by the patterns alone: what other links lead to would make the answer depend on the order of the questions */
  plain: Walk;
  found: FolderFacts;
}

function readName(request: NameRequest, name: string, kind: EntryKind): void {
  const { policy, host, path, folder, facts, above, found } = request;
  if (isPlainName(policy, { above, name, facts })) return;
  const walk = walkTo(policy, { above, name, kind, facts });
  if (walk.findings.length === 0) return;
  const decision = strictest([decideAt(walk, 'read'), decideAt(walk, 'write')]);
  if (!isProtection(decision)) return;
  const identity = folder.stat(name)?.identity;
  if (identity !== undefined)
    found.aliases.set(identity, strictest([decision, found.aliases.get(identity) ?? decision]));
  if (kind !== 'link') return;
  const targets = host.follow(joined(path, name)).slice(1);
  if (hasHiddenName(request, name)) found.hiddenTargets.push(...targets);
  else if (decision.verdict === 'private') found.named.push(...targets);
}

/** Not below a hidden folder: a hidden `node_modules` would hide the packages of the workspace that it links to. */
function hasHiddenName({ policy, facts: { entry }, plain }: NameRequest, name: string): boolean {
  if (decideAt(plain, 'read').verdict === 'hidden') return false;
  return decideAt(walkTo(policy, { above: plain, name, kind: 'link', facts: { entry } }), 'read').verdict === 'hidden';
}

/** The project's own `private` keeps two versions apart: neither is protected from the other side's programs. */
function isProtection({ verdict, rule }: WorkspaceDecision): boolean {
  return verdict !== 'pass' && !(verdict === 'private' && rule?.source !== undefined);
}

function entryOf(host: HostTree, folder: string, entries: Entry[]): (path: string) => EntryKind | undefined {
  const kinds = new Map(entries.map(({ name, kind }) => [name, kind]));
  const elsewhere = new Map<string, EntryKind | undefined>();
  return (path) => {
    const slash = path.lastIndexOf('/');
    if (path.slice(0, Math.max(0, slash)) === folder && path !== '') return kinds.get(path.slice(slash + 1));
    if (!elsewhere.has(path)) elsewhere.set(path, host.kindOf(path));
    return elsewhere.get(path);
  };
}
