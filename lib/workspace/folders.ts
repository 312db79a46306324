/** Lists the folders of the host that a sandbox is served, with the rules of each. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename } from 'node:path';
import { SbxError } from '../errors.ts';
import { configFilesOf } from '../spec/config-files.ts';
import type { SandboxSpec, Source } from '../spec/spec.ts';
import type { ServedFolder } from './client/served-folders.ts';
import { readHostGit } from './host-git.ts';
import { below, isInside } from './paths-below.ts';
import { checkRoots } from './roots.ts';

/** Begin of the names of kept folders */
const KEPT = 'kept-';

/** What a sandbox has for itself in such a folder can be made again. */
export function isKeptFolder(name: string): boolean {
  return name.startsWith(KEPT);
}

export interface ServedFolders {
  folders: ServedFolder[];
  /** What the guest binds: below the served mount, and where to */
  guestMounts: { source: string; target: string }[];
}

/** A folder of the guest that lies on the host, apart from every project. */
export interface KeptFolder {
  /** Real absolute path; made by sbx */
  host: string;
  guest: string;
  /** Below it, as patterns: these stay in the private layer */
  except: string[];
}

/** @throws SbxError `workspace` when a folder cannot be shown. */
export async function servedFolders(
  spec: SandboxSpec,
  forbidden: string[],
  kept: KeptFolder[] = [],
): Promise<ServedFolders> {
  if (spec.workspace.mode === 'clone') return { folders: kept.map(keptFolder), guestMounts: keptMounts(kept, true) };
  const { path, repository, repositoryTop: top } = spec.workspace;
  const extra = checkRoots({ path, mounts: spec.mounts, repository, top, forbidden, userHome: homedir() });
  if (top !== undefined) for (const { guest } of spec.mounts) checkTarget(guest, { top, path });
  const workspace: ServedFolder = {
    name: 'ws',
    path,
    isFile: false,
    readonly: false,
    rules: await workspaceRules(spec),
  };
  const mounts = await Promise.all(extra.map((root, index) => mountFolder(spec, root, `m${index}`)));
  const git = repository === undefined ? [] : [await repositoryFolder(repository)];
  const tree = top === undefined ? [] : [treeFolder(spec, top)];
  const sources = mounts.map(({ name, path: real, isFile }) => (isFile ? `${name}/${basename(real)}` : name));
  return {
    folders: [workspace, ...mounts, ...git, ...tree, ...kept.map(keptFolder)],
    guestMounts: [
      // The others are mounted in it.
      ...tree.map(({ name, path: target }) => ({ source: name, target })),
      // One folder alone is the mount itself.
      { source: mounts.length + git.length + kept.length === 0 ? '.' : 'ws', target: path },
      ...keptMounts(kept, false),
      ...spec.mounts.map(({ guest }, index) => ({ source: sources[index] ?? '', target: guest })),
      ...git.map(({ name, path: target }) => ({ source: name, target })),
    ],
  };
}

async function mountFolder(
  spec: SandboxSpec,
  { real, readonly, isFolder }: ReturnType<typeof checkRoots>[number],
  name: string,
): Promise<ServedFolder> {
  const rules = isFolder && !readonly ? { rules: await mountRules(spec, real) } : {};
  return { name, path: real, isFile: !isFolder, readonly, ...rules };
}

/** A mount may lie in a kept folder: that one comes first. */
function keptMounts(kept: KeptFolder[], isAll: boolean): ServedFolders['guestMounts'] {
  return kept.map(({ guest }, index) => ({
    source: isAll && kept.length === 1 ? '.' : keptName(index),
    target: guest,
  }));
}

/** No program of the host works in it, and nothing of the host is in it. */
function keptFolder({ host, except }: KeptFolder, index: number): ServedFolder {
  const lists = { hide: [], readonly: [], unprotect: [], configFiles: [], named: [] };
  const apart = except.map((text) => ({ text: `/${text}`, source: 'default' as const }));
  return {
    name: keptName(index),
    path: host,
    isFile: false,
    readonly: false,
    rules: { ...lists, private: apart, own: true },
  };
}

function keptName(index: number): string {
  return `${KEPT}${index}`;
}

/** Nothing is made in the work tree around the project, also not a folder to mount at. */
function checkTarget(guest: string, { top, path }: { top: string; path: string }): void {
  if (!isInside(guest, top) || isInside(guest, path) || existsSync(guest)) return;
  throw new SbxError('workspace', `nothing can be mounted at ${guest}`, {
    why: `it does not exist, and it lies in the work tree around the project (${top}), which is read-only inside`,
    hint: 'make it on the host, use another `guest` path in [[mounts]], or set git_repository = false under [workspace]',
  });
}

/** Of the work tree around a project git sees what `lstat` says, so that nothing is missing in it; see `surroundingFindings`. */
function treeFolder(spec: SandboxSpec, top: string): ServedFolder {
  const { path, repository } = spec.workspace;
  // Patterns with a slash count from the workspace on.
  const hide = entriesOf(spec, 'hide').filter(({ text }) => !text.replace(/\/$/, '').includes('/'));
  const around = [
    ...['.git'],
    ...[path, repository].flatMap((one) => (one === undefined ? [] : (below(top, one) ?? []))),
  ];
  const rules = { hide, readonly: [], private: [], unprotect: [], configFiles: [], named: [], around };
  return { name: 'tree', path: top, isFile: false, readonly: true, rules };
}

/** The root of its rules is a git folder. Its name tells repositories apart: each has a private layer of its own. */
async function repositoryFolder(path: string): Promise<ServedFolder> {
  const name = `git-${createHash('sha256').update(path).digest('hex').slice(0, 12)}`;
  const lists = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [] };
  return { name, path, isFile: false, readonly: false, rules: { ...lists, named: (await readHostGit(path)).named } };
}

type Rules = NonNullable<ServedFolder['rules']>;

async function workspaceRules(spec: SandboxSpec): Promise<Rules> {
  const { path } = spec.workspace;
  return {
    hide: entriesOf(spec, 'hide'),
    readonly: entriesOf(spec, 'readonly'),
    private: entriesOf(spec, 'private'),
    unprotect: entriesOf(spec, 'unprotect'),
    configFiles: configFilesOf(spec).flatMap((file) => below(path, file) ?? []),
    named: (await readHostGit(path)).named,
  };
}

/** A writable mount is protected as the workspace is: git and editors of the host work in it, too. */
async function mountRules(spec: SandboxSpec, path: string): Promise<Rules> {
  const { named } = await readHostGit(path);
  return { hide: [], readonly: [], private: [], unprotect: entriesOf(spec, 'unprotect'), configFiles: [], named };
}

function entriesOf({ workspace, sources }: SandboxSpec, list: 'hide' | 'readonly' | 'private' | 'unprotect') {
  return (workspace[list] ?? []).map((text, index) => ({
    text,
    source: sourceOf(sources, `workspace.${list}`, index),
  }));
}

function sourceOf(sources: SandboxSpec['sources'], list: string, index: number): Source {
  return sources[`${list}[${index}]`] ?? sources[list] ?? 'default';
}
