/** The entries of a git configuration, with those that another condition would add. */
import { dirname, join, resolve } from 'node:path';

export interface Entry {
  root: string;
  /** Where relative paths may count from */
  tops: string[];
  origin: string;
  key: string;
  value: string;
}

/** Files of a user that include one another by condition */
const CONDITIONAL_MAX = 20;

/** `text`: of `git config --null --show-origin --list`. */
export function entriesIn(text: string, place: Pick<Entry, 'root' | 'tops'>): Entry[] {
  const fields = text.split('\0');
  return fields.flatMap((origin, index): Entry[] => {
    if (index % 2 === 1) return [];
    const [key = '', ...value] = (fields[index + 1] ?? '').split('\n');
    return [{ ...place, origin, key, value: value.join('\n') }];
  });
}

/**
 * What the files of `includeIf` say, whether or not its condition is true: a clone, another branch or another remote makes it true without a
 * change of any file that is watched. `list`: text of one file, as for `entriesIn`.
 */
export async function conditionalEntries(
  entries: readonly Entry[],
  list: (file: string) => Promise<string>,
): Promise<Entry[]> {
  const files = new Set(entries.flatMap(includedIf));
  const found: Entry[] = [];
  const [first] = entries;
  if (first === undefined) return found;
  let read = 0;
  // The set grows while it is read.
  for (const file of files) {
    read += 1;
    if (read > CONDITIONAL_MAX) break;
    const added = entriesIn(await list(file), { root: first.root, tops: first.tops });
    for (const one of added.flatMap(includedIf)) files.add(one);
    found.push(...added);
  }
  return found;
}

function includedIf(entry: Entry): string[] {
  return entry.key.startsWith('includeif.') ? included(entry) : [];
}

/** The file that has the entry, and the one that it includes. */
export function filesOf(entry: Entry): string[] {
  return [...ownFiles(entry), ...included(entry)];
}

function ownFiles({ tops, origin }: Entry): string[] {
  return origin.startsWith('file:') ? tops.map((top) => resolve(top, origin.slice('file:'.length))) : [];
}

function included(entry: Entry): string[] {
  if (!/^include(if\..*)?\.path$/.test(entry.key)) return [];
  return ownFiles(entry).map((file) => resolve(dirname(file), home(entry.value)));
}

export function home(value: string): string {
  return value.startsWith('~/') ? join(process.env['HOME'] ?? '/', value.slice(2)) : value;
}
