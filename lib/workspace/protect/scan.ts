/** Scans a folder without following links for repositories, settings, and matches of the `hide` and `readonly` patterns. */
import type { Dirent } from 'node:fs';
import { existsSync, realpathSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, SbxError } from '../../errors.ts';
import { below, isThere, joinBelow } from './folder-paths.ts';
import { compileGlob, type Matcher } from './glob.ts';
import { SETTINGS } from './protected.ts';

export interface Hidden {
  path: string;
  kind: 'dir' | 'file';
}

export interface ScanResult {
  /** Folders that git takes for a repository: `.git`, and bare ones */
  gitDirs: string[];
  /** Files named `.git` (work trees, submodules), and folders of that name that are no repository */
  gitEntries: string[];
  settings: string[];
  readonly: string[];
  /** Topmost only */
  hidden: Hidden[];
}

export interface ScanRequest {
  hide: string[];
  readonly: string[];
  /** Entries scanned before giving up: a larger tree would make every start slow */
  mostEntries?: number;
}

const MOST_ENTRIES = 400_000;
const SETTINGS_NAMES = new Set(SETTINGS);
/** Folders read at once */
const BATCH = 32;

interface Scan extends ScanResult {
  root: string;
  hides: Matcher[];
  locks: Matcher[];
  queue: string[];
  left: number;
}

export async function scanFolder(root: string, request: ScanRequest): Promise<ScanResult> {
  const scan: Scan = {
    root,
    hides: request.hide.map(compileGlob),
    locks: request.readonly.map(compileGlob),
    queue: [''],
    left: request.mostEntries ?? MOST_ENTRIES,
    gitDirs: [],
    gitEntries: [],
    settings: [],
    readonly: [],
    hidden: [],
  };
  while (scan.queue.length > 0) await Promise.all(scan.queue.splice(-BATCH).map((dir) => visit(scan, dir)));
  const { gitDirs, gitEntries, settings, readonly, hidden } = scan;
  for (const list of [gitDirs, gitEntries, settings, readonly]) list.sort();
  return { gitDirs, gitEntries, settings, readonly, hidden: hidden.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
}

async function visit(scan: Scan, dir: string): Promise<void> {
  const entries = await entriesOf(scan, dir);
  scan.left -= entries.length;
  if (scan.left < 0)
    throw new SbxError('workspace', `the folder ${scan.root} has too many entries`, {
      why: 'all of it is scanned at each start, for repositories and hidden files',
      hint: 'choose a smaller folder',
    });
  if (isRepository(entries)) scan.gitDirs.push(dir);
  for (const entry of entries) look(scan, joinBelow(dir, entry.name), entry);
}

/** A folder that cannot be read is hidden as a whole: its owner could open it again from inside. */
async function entriesOf(scan: Scan, dir: string): Promise<Dirent[]> {
  try {
    return await readdir(join(scan.root, dir), { withFileTypes: true });
  } catch (error) {
    if (dir === '')
      throw new SbxError('workspace', `${scan.root} cannot be read`, { why: errnoOf(error) ?? '', cause: error });
    if (errnoOf(error) === 'EACCES') scan.hidden.push({ path: dir, kind: 'dir' });
    else if (dir.includes('\ufffd')) throw notUtf8(scan.root, dir);
    return [];
  }
}

function look(scan: Scan, path: string, entry: Dirent): void {
  const isFolder = entry.isDirectory();
  if (scan.hides.some((matches) => matches(path, isFolder))) {
    hide(scan, path, entry);
    return;
  }
  if (!entry.isSymbolicLink() && scan.locks.some((matches) => matches(path, isFolder))) scan.readonly.push(path);
  const inPackages = path.includes('node_modules') && `/${path}/`.includes('/node_modules/');
  if (entry.name === '.git' && !inPackages && !entry.isSymbolicLink()) {
    if (!isFolder || !isThere(join(scan.root, path, 'HEAD'))) scan.gitEntries.push(path);
    else scan.gitDirs.push(path);
    return;
  }
  // Installed packages bring settings of their own, which no tool reads and every reinstallation removes.
  if (SETTINGS_NAMES.has(entry.name) && !inPackages && !entry.isSymbolicLink()) scan.settings.push(path);
  const hasPatterns = scan.hides.length + scan.locks.length > 0;
  if (isFolder && (!inPackages || hasPatterns) && !isInsideRepository(path, scan.gitDirs)) scan.queue.push(path);
}

/** What a link names is hidden where it lies; outside of the workspace it is not visible anyway. */
function hide(scan: Scan, path: string, entry: Dirent): void {
  if (path.includes('\ufffd') && !existsSync(join(scan.root, path))) throw notUtf8(scan.root, path);
  if (!entry.isSymbolicLink()) {
    scan.hidden.push({ path, kind: entry.isDirectory() ? 'dir' : 'file' });
    return;
  }
  const target = resolveLink(join(scan.root, path));
  const inside = target === undefined ? undefined : below(scan.root, target);
  if (target === scan.root)
    throw new SbxError('workspace', `the hidden link ${path} names the workspace itself`, { hint: 'remove the link' });
  if (inside !== undefined)
    scan.hidden.push({ path: inside, kind: isFolderAt(join(scan.root, inside)) ? 'dir' : 'file' });
}

function resolveLink(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function isFolderAt(path: string): boolean {
  return existsSync(`${path}/.`);
}

/** What git asks of a folder before it takes its config and hooks. */
function isRepository(entries: Dirent[]): boolean {
  const has = (name: string, isFolder: boolean) =>
    entries.some((entry) => entry.name === name && (!isFolder || !entry.isFile()));
  return has('HEAD', false) && has('objects', true) && has('refs', true);
}

function isInsideRepository(path: string, gitDirs: string[]): boolean {
  const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
  return gitDirs.includes(parent);
}

function notUtf8(root: string, path: string): SbxError {
  return new SbxError('workspace', `a name in ${join(root, path)} is not valid UTF-8`, {
    why: 'such a path can be neither searched nor hidden',
    hint: 'rename it',
  });
}
