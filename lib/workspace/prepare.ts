/** Prepares the workspace of a VM: scans it, makes mount stubs, plans the mounts. */
import { lstatSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JailMount } from '../system/jail-mount.ts';
import { planMounts } from './mounts/mounts.ts';
import { checkRoots } from './mounts/roots.ts';
import { below, type Kind, kindBelow, linked, parentsOf } from './protect/folder-paths.ts';
import { namedByGitConfig, wouldBeCommitted } from './protect/git-config.ts';
import { followGit } from './protect/git-folders.ts';
import { isExact } from './protect/glob.ts';
import { type MountStub, makeMountStubs } from './protect/mount-stubs.ts';
import { isOpened, type ProtectedPath, protectedPaths } from './protect/protected.ts';
import { type Hidden, scanFolder } from './protect/scan.ts';

export interface WorkspaceRequest {
  /** Real absolute path */
  path: string;
  hide: string[];
  readonly: string[];
  unprotect: string[];
  mounts: { host: string; guest: string; readonly: boolean }[];
  /** File that lists the mount stubs made */
  mountStubRecord: string;
  /** Folders that no mount may show: the state folder of sbx */
  forbidden: string[];
  /** Files that sandbox.toml is made of, absolute: protected as it is */
  configFiles?: string[];
}

export interface PreparedWorkspace {
  jailMounts: JailMount[];
  /** What the guest mounts: below the export, and where to */
  guestMounts: { source: string; target: string }[];
  /** What each mount shows, by its target: device and inode, when it was scanned. See lib/workspace/mounts/check-mounts.ts */
  identities: Record<string, string>;
}

/** The one folder of the jail that is exported over 9p */
const EXPORT = '/export';
const GITS_AT_ONCE = 8;

export async function prepareWorkspace(request: WorkspaceRequest): Promise<PreparedWorkspace> {
  const extra = checkRoots({ ...request, userHome: homedir() });
  const mounts = await guardFolder({ ...request, root: request.path, target: `${EXPORT}/ws`, makeUp: true });
  for (const [index, { real, readonly, isFolder }] of extra.entries()) {
    const target = `${EXPORT}/m${index}`;
    if (readonly || !isFolder) mounts.push({ source: real, target, readonly });
    else mounts.push(...(await guardFolder({ ...request, hide: [], readonly: [], root: real, target, makeUp: false })));
  }
  return {
    jailMounts: mounts,
    guestMounts: [
      { source: 'ws', target: request.path },
      ...request.mounts.map(({ guest }, index) => ({ source: `m${index}`, target: guest })),
    ],
    identities: Object.fromEntries(mounts.flatMap(({ source, target }) => identityOf(source, target))),
  };
}

interface Guard {
  root: string;
  target: string;
  hide: string[];
  readonly: string[];
  unprotect: string[];
  mountStubRecord: string;
  configFiles?: string[];
  /** Covers also what is not there yet */
  makeUp: boolean;
}

async function guardFolder(guard: Guard): Promise<JailMount[]> {
  const { root, target } = guard;
  const locks = guard.readonly.map((path) => `/${path}`);
  const scan = await scanFolder(root, { hide: guard.hide, readonly: locks });
  const git = followGit(root, scan);
  const plain = guard.hide.filter(isExact);
  const named = await inBatches(git.gitDirs, (dir) => namedByGitConfig(root, dir));
  const committed = await inBatches(
    plain.filter((glob) => isUndecided(root, glob)),
    async (glob) => ((await wouldBeCommitted(root, clean(glob))) ? [clean(glob)] : []),
  );
  // Synchronous from here on: a link that is made after the check would be covered in place of what was checked.
  const isHidden = (path: string) => scan.hidden.some((one) => `${path}/`.startsWith(`${one.path}/`));
  const locked = [
    ...protectedPaths({ ...scan, ...git }, guard.unprotect, guard.makeUp),
    ...named.filter(({ path }) => !isOpened(path, guard.unprotect)),
    ...locks.filter(isExact).map((path): ProtectedPath => ({ path: clean(path), placeholder: { kind: 'dir' } })),
    ...(guard.configFiles ?? []).flatMap((file) => configFile(root, file)),
  ].filter(({ path }) => !isHidden(path) && isReal(root, path));
  const hidden = plain
    .flatMap((glob) => hiddenLater(root, glob, committed))
    .filter(({ path }) => !parentsOf(path).some(isHidden));
  makeMountStubs(
    guard.mountStubRecord,
    [...locked, ...hidden].flatMap((one) => withParents(root, one)),
  );
  return planMounts({
    root,
    target,
    readonly: [...scan.readonly, ...locked.map(({ path }) => path)].filter(
      (path) => kindBelow(root, path) !== undefined,
    ),
    hidden: [...scan.hidden, ...hidden.map(({ path, placeholder: { kind } }): Hidden => ({ path, kind }))],
  });
}

async function inBatches<T, R>(items: T[], work: (item: T) => Promise<R[]>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += GITS_AT_ONCE)
    results.push(...(await Promise.all(items.slice(at, at + GITS_AT_ONCE).map(work))).flat());
  return results;
}

function configFile(root: string, file: string): ProtectedPath[] {
  const path = below(root, file);
  return path === undefined ? [] : [{ path, placeholder: undefined }];
}

/** A link is refused: what it names could be exchanged. */
function isReal(root: string, path: string): boolean {
  if (kindBelow(root, path) === 'link') throw linked(root, path);
  return true;
}

/** A plain name is covered also before it exists, at the top of the workspace; a pattern matches what is there at the start. */
function hiddenLater(
  root: string,
  glob: string,
  committed: string[],
): { path: string; placeholder: Exclude<ProtectedPath['placeholder'], undefined> }[] {
  const path = clean(glob);
  const kind = kindBelow(root, path);
  const parent = path.includes('/') ? kindBelow(root, dirname(path)) : 'dir';
  if (parent === 'link') throw linked(root, path);
  // What a link itself names was hidden by the scan; in a file nothing can be.
  if (kind === 'link' || isNoFolder(parent)) return [];
  const isFolder = kind === undefined ? glob.endsWith('/') || committed.includes(path) : kind === 'dir';
  return [{ path, placeholder: isFolder ? { kind: 'dir' } : { kind: 'file', content: '' } }];
}

/** True when only git can say whether the mount stub of a plain name is a file or a folder. */
function isUndecided(root: string, glob: string): boolean {
  return !glob.endsWith('/') && kindBelow(root, clean(glob)) === undefined;
}

function isNoFolder(kind: Kind | undefined): boolean {
  return kind === 'file' || kind === 'other';
}

function clean(path: string): string {
  return path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
}

function withParents(root: string, { path, placeholder }: ProtectedPath): MountStub[] {
  const parents = parentsOf(path);
  if (placeholder === undefined || parents.some((parent) => isNoFolder(kindBelow(root, parent)))) return [];
  const content = placeholder.kind === 'file' ? placeholder.content : '';
  return [
    ...parents.map((parent) => ({ path: join(root, parent), kind: 'dir' as const, content: '' })),
    { path: join(root, path), kind: placeholder.kind, content },
  ];
}

function identityOf(source: string, target: string): [string, string][] {
  const found = source.startsWith('/') ? lstatSync(source, { throwIfNoEntry: false, bigint: true }) : undefined;
  return found === undefined ? [] : [[target, `${found.dev}:${found.ino}`]];
}
