/** Follows what the host's git names inside of the folders that a guest is served: its user can change the configuration at any time. */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Follow } from './client/follow.ts';
import type { ServedFolder } from './client/served-folders.ts';
import { readHostGit } from './host-git.ts';

interface FollowOptions {
  /** Between two looks at the files, in milliseconds */
  everyMs?: number;
}

/** Half of what docs/workspace.md says: git is asked after it */
const EVERY_MS = 500;

/**
 * Applies the folders again whenever the host's git names another path in one. What it names no more is protected until they are attached again:
 * a git that cannot be asked names nothing. Disposed, it has ended.
 */
export function followHostGit(
  folders: ServedFolder[],
  apply: Parameters<Follow>[1],
  { everyMs = EVERY_MS }: FollowOptions = {},
): AsyncDisposable {
  const stop = new AbortController();
  const ended = follow(folders, { apply, everyMs, signal: stop.signal });
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
    },
  };
}

interface Following {
  apply: Parameters<Follow>[1];
  everyMs: number;
  signal: AbortSignal;
}

async function follow(folders: ServedFolder[], { apply, everyMs, signal }: Following): Promise<void> {
  let applied = folders;
  let sources: string[] = [];
  let known: string | undefined;
  while (true) {
    // Not at once: the folders were listed just now, and a sandbox that starts needs the processors.
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) return;
    // From before git is asked: a change in between is seen by the next look.
    const stamp = await stampOf(sources);
    if (stamp !== known) {
      const found = await Promise.all(applied.map(readAgain)).catch(() => undefined);
      const next = found?.map(({ folder }) => folder);
      if (next !== undefined && isOther(applied, next) && !signal.aborted) {
        applied = next;
        await apply(applied);
      }
      // A git that fails names none: what it named before may be what has the fault.
      const asked = [...new Set([...sources, ...(found?.flatMap((one) => one.sources) ?? [])])];
      // Of other files there is no stamp from before.
      const isWhole = found?.every(({ isBroken }) => !isBroken) === true;
      known = isWhole && asked.length === sources.length ? stamp : undefined;
      sources = asked;
    }
  }
}

interface Again {
  folder: ServedFolder;
  sources: string[];
  isBroken: boolean;
}

/** The work tree around a project shows nothing that could be run. */
async function readAgain(folder: ServedFolder): Promise<Again> {
  const { path, rules } = folder;
  if (rules === undefined || rules.around !== undefined) return { folder, sources: [], isBroken: false };
  const { named, sources, isBroken } = await readHostGit(path);
  const all = [...new Set([...rules.named, ...named])];
  return { folder: { ...folder, rules: { ...rules, named: all } }, sources, isBroken };
}

function isOther(before: ServedFolder[], after: ServedFolder[]): boolean {
  return after.some(({ rules }, index) => textOf(rules?.named) !== textOf(before[index]?.rules?.named));
}

function textOf(named: string[] = []): string {
  return JSON.stringify(named.toSorted());
}

/** Links are followed: another file behind one is a change, too. */
async function stampOf(paths: string[]): Promise<string> {
  return JSON.stringify(await Promise.all(paths.map(stampOfFile)));
}

async function stampOfFile(path: string): Promise<string[]> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].map(String);
  } catch {
    return [];
  }
}
