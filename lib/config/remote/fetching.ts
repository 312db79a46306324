/** Fetches and pins templates of repositories as a project is loaded. */
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { fetchGit } from './fetch-git.ts';
import { type Pin, type Pins, readLock, writeLock } from './lock-file.ts';
import type { RemoteTemplates } from './locked.ts';
import { parseGitReference } from './reference.ts';
import { findTree, storeTree } from './tree-cache.ts';

export interface FetchOptions {
  stateDir: string;
  /** Asks each repository again, also for what is pinned */
  update: boolean;
  /** One that is not pinned is; else it is an error */
  pin: boolean;
  signal?: AbortSignal | undefined;
  onFetch?: (text: string) => void;
}

export interface Pinned {
  reference: string;
  before: Pin | undefined;
  after: Pin;
  /** Folders with their files; the one before only where it is on this machine */
  trees: { before: string | undefined; after: string };
}

export interface Fetching {
  templates: RemoteTemplates;
  /** What was used, in the order of its use */
  pinned: () => Pinned[];
  /** Pins of what is used no longer are dropped. @returns whether the file changed */
  write: () => Promise<boolean>;
}

export function fetchingTemplates(options: FetchOptions): Fetching {
  const used = new Map<string, Pinned>();
  let lockDir = '';
  let before: Pins = {};
  return {
    templates: async (text, place, projectDir) => {
      const reference = parseGitReference(text, place);
      lockDir = projectDir;
      before = readLock(projectDir);
      const known = used.get(text) ?? (await pinnedBy(options, reference, before[text]));
      used.set(text, known);
      return join(known.trees.after, reference.path);
    },
    pinned: () => [...used.values()],
    async write() {
      const after = Object.fromEntries([...used.values()].map((one) => [one.reference, one.after]));
      if (lockDir === '' || isSame(before, after)) return false;
      await writeLock(lockDir, after);
      return true;
    },
  };
}

async function pinnedBy(
  { stateDir, update, pin, signal, onFetch }: FetchOptions,
  reference: ReturnType<typeof parseGitReference>,
  before: Pin | undefined,
): Promise<Pinned> {
  const { text } = reference;
  const here = before && findTree(stateDir, before.content);
  if (before !== undefined && here !== undefined && !update)
    return { reference: text, before, after: before, trees: { before: here, after: here } };
  if (before === undefined && !pin)
    throw new SbxError('template-missing', `the template ${text} is not pinned`, { hint: 'run `sbx lock`' });
  onFetch?.(text);
  // What is pinned is fetched by its commit: a tag or a branch may have moved.
  const wanted = before === undefined || update ? reference : { ...reference, revision: before.commit };
  const { commit, files } = await fetchGit(wanted, signal);
  const tree = storeTree(stateDir, files);
  const after = { commit, content: tree.slice(tree.lastIndexOf('/') + 1) };
  if (before !== undefined && !update && after.content !== before.content)
    throw new SbxError('template-missing', `the template ${text} is not what sandbox.lock says`, {
      why: `commit ${before.commit} has other content than when it was pinned`,
      hint: 'look at who changed sandbox.lock; `sbx lock --update` pins what is there now',
    });
  return { reference: text, before, after, trees: { before: here, after: tree } };
}

function isSame(before: Pins, after: Pins): boolean {
  const text = (pins: Pins) => JSON.stringify(Object.entries(pins).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return text(before) === text(after);
}
