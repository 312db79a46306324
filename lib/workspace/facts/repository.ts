/** What the repository of a work tree makes the host's git read or run, besides its own git folder. */
import { parseGitConfig, pathsNamedBy } from './git-config.ts';
import type { HostTree } from './host-tree.ts';

export interface RepositoryFacts {
  /** Folders that `.git` and `commondir` files name */
  pointers: string[];
  /** Paths that its configuration and the links in its hooks lead to */
  named: string[];
  /** What was read, with the stamp that it had */
  read: Map<string, string>;
}

const INCLUDES_MAX = 50;

/** @param tree the folder with a `.git`; or, with `isGitFolder`, the git folder itself */
export function repositoryFacts(host: HostTree, tree: string, isGitFolder: boolean): RepositoryFacts {
  const facts: RepositoryFacts = { pointers: [], named: [], read: new Map() };
  const gitFolder = isGitFolder ? tree : gitFolderOf(host, tree, facts);
  if (gitFolder === undefined) return facts;
  const commonText = readNoted(host, joined(gitFolder, 'commondir'), facts);
  const common = commonText === undefined ? gitFolder : host.resolve(gitFolder, commonText.trim());
  if (common !== undefined && common !== gitFolder) facts.pointers.push(common);
  const configs = new Set([gitFolder, common].flatMap((dir) => (dir === undefined ? [] : [dir])));
  for (const dir of configs) {
    for (const name of ['config', 'config.worktree']) readConfig(host, joined(dir, name), { tree, facts });
    readHooks(host, joined(dir, 'hooks'), facts);
  }
  return facts;
}

/** True while nothing that was read has changed. */
export function isCurrent(host: HostTree, { read }: RepositoryFacts): boolean {
  return [...read].every(([path, stamp]) => host.stampOf(path) === stamp);
}

function gitFolderOf(host: HostTree, tree: string, facts: RepositoryFacts): string | undefined {
  const path = joined(tree, '.git');
  const isFolder = host.inFolder(path, () => true);
  if (isFolder) return path;
  const target = /^gitdir: (.+?)\n?$/s.exec(readNoted(host, path, facts) ?? '')?.[1] ?? host.readLink(path);
  const found = target === undefined ? undefined : host.resolve(tree, target);
  if (found !== undefined) facts.pointers.push(...host.follow(found));
  return found;
}

interface Reading {
  tree: string;
  facts: RepositoryFacts;
}

function readConfig(host: HostTree, file: string, { tree, facts }: Reading): void {
  if (facts.read.has(file) || facts.read.size > INCLUDES_MAX) return;
  for (const entry of parseGitConfig(readNoted(host, file, facts) ?? ''))
    for (const { path, from, kind } of pathsNamedBy(entry)) {
      const found = host.resolve(from === 'file' ? folderOf(file) : tree, path);
      // A word of a command may be any folder, also the work tree's own git folder.
      if (found === undefined || (kind === 'program' && host.inFolder(found, () => true))) continue;
      const named = host.follow(found);
      facts.named.push(...named);
      // At once, not when the walk gets there: a guest could write to the target of a hook until then.
      for (const one of named) readHooks(host, one, facts);
      if (kind === 'include') for (const one of named) readConfig(host, one, { tree, facts });
    }
}

/** A hook that is a link: its target is run. */
function readHooks(host: HostTree, hooks: string, facts: RepositoryFacts): void {
  const links = host.inFolder(hooks, (folder) => {
    facts.read.set(hooks, host.stampOf(hooks));
    return folder.entries().filter(({ kind }) => kind === 'link');
  });
  for (const { name } of links ?? []) facts.named.push(...host.follow(joined(hooks, name)).slice(1));
}

function readNoted(host: HostTree, path: string, facts: RepositoryFacts): string | undefined {
  facts.read.set(path, host.stampOf(path));
  return host.readFile(path);
}

export function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
