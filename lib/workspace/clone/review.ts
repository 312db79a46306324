/** Looks at what a sandbox's commits change: refuses names that mean something else on the host, and lists what a person should look at. */
import { git, withoutBase } from '../git/git.ts';
import { refused } from '../git/pack-limits.ts';
import { shownText } from '../git/shown-text.ts';

export interface Review {
  commits: number;
  files: number;
  /** One line each, safe to show */
  notes: string[];
}

interface Entry {
  mode: string;
  id: string;
  status: string;
  path: string;
}

const NOTES_MAX = 50;
const TEXT_MAX = 65_536;

/** `base`: the commit to compare with, empty: none; `brought`: the commits that come with it, by the paths of their submodules. @throws SbxError `workspace` */
export async function reviewCommit(
  dir: string,
  commit: string,
  base: { head: string; tips: string[]; brought?: ReadonlyMap<string, string> },
): Promise<Review> {
  const input = withoutBase(commit, base.tips);
  const commits = Number((await git(['-C', dir, 'rev-list', '--count', '--stdin'], { input })).trim());
  const from = base.head === '' ? (await git(['-C', dir, 'hash-object', '-t', 'tree', '--stdin'])).trim() : base.head;
  const diff = await git(['-C', dir, 'diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-abbrev', from, commit]);
  const changed = entriesOf(diff);
  for (const { path } of changed) checkName(path);
  await refuseFolded(dir, commit, changed);
  const notes: string[] = [];
  for (const entry of changed.filter(({ status }) => status !== 'D').slice(0, 10_000)) {
    if (notes.length >= NOTES_MAX) break;
    if (entry.mode !== '160000') notes.push(...(await noteOf(dir, entry)));
    else if (base.brought?.get(entry.path) !== entry.id)
      notes.push(`${shownText(entry.path)}: a submodule at ${entry.id}, whose commits are not fetched`);
  }
  return { commits, files: changed.length, notes };
}

function entriesOf(diff: string): Entry[] {
  const parts = diff.split('\0');
  const entries: Entry[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [, mode = '', , id = '', status = ''] = (parts[at] ?? '').split(' ');
    entries.push({ mode, id, status, path: parts[at + 1] ?? '' });
  }
  return entries;
}

/** Git's own checks come before; this is what they let pass. Pure. */
export function checkName(path: string): void {
  const bad = path
    .split('/')
    .some(
      (name) => name === '' || name === '.' || name === '..' || /^\.git[ .]*$/i.test(name) || /^git~\d$/i.test(name),
    );
  if (bad || /[\p{Cc}\u{fffd}]/u.test(path)) throw refused(`a file has an invalid name: ${shownText(path)}`);
}

/** Two names that a host's file system may take for one. */
async function refuseFolded(dir: string, commit: string, changed: Entry[]): Promise<void> {
  const added = new Set(changed.filter(({ status }) => status === 'A').map(({ path }) => path));
  if (added.size === 0) return;
  const all = (await git(['-C', dir, 'ls-tree', '-r', '-t', '-z', '--name-only', '--full-tree', commit])).split('\0');
  const seen = new Map<string, string>();
  for (const path of all) {
    const folded = path.normalize('NFC').toLowerCase();
    const other = seen.get(folded);
    if (
      other !== undefined &&
      [...added].some((one) => `${one}/`.startsWith(`${path}/`) || `${one}/`.startsWith(`${other}/`))
    )
      throw refused(`two names differ by case or form only: ${shownText(other)}, ${shownText(path)}`);
    seen.set(folded, path);
  }
}

async function noteOf(dir: string, { mode, id, path }: Entry): Promise<string[]> {
  const name = shownText(path);
  if (mode === '120000') return [`${name}: a link to ${shownText(await textOf(dir, id))}`];
  if (/(^|\/)\.gitattributes$/.test(path)) return [`${name}: attributes, which choose filters and merge drivers`];
  if (!/(^|\/)\.gitmodules$/.test(path)) return [];
  const urls = (await textOf(dir, id)).split('\n').filter((line) => /^\s*(url|path|update)\s*=/i.test(line));
  return urls.map((line) => `${name}: ${shownText(line.trim())}`).slice(0, NOTES_MAX);
}

async function textOf(dir: string, id: string): Promise<string> {
  const size = Number((await git(['-C', dir, 'cat-file', '-s', id])).trim());
  return size > TEXT_MAX ? `(${size} bytes)` : await git(['-C', dir, 'cat-file', 'blob', id]);
}
