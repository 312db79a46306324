/** Where a path lies as git of the host sees it: in a tree, in a git folder, or among the git folders of submodules. */
import { GIT_ROWS } from './git-rows.ts';
import type { WorkspaceFacts } from './types.ts';

export type Place =
  | { in: 'tree' }
  /** `rest`: folded names below the git folder `root` */
  | { in: 'git'; root: string; rest: readonly string[] }
  /** Below `modules` of a git folder, where a submodule's name may have slashes, and no git folder yet */
  | { in: 'modules' };

export const TREE: Place = { in: 'tree' };
const LOCK = '.lock';
/** What makes git take a folder for a repository. Git itself accepts files and links as well. */
const PARTS = ['HEAD', 'objects', 'refs'] as const;
const DATA = ['objects', 'refs', 'logs'];
const ROWS = Object.entries(GIT_ROWS).flatMap(([id, { paths }]) =>
  paths.map((path) => ({ id, names: path.split('/') })),
);
/** Where a rename of a folder inside of a git folder is never free */
const AREAS = ['modules', 'worktrees', ...PARTS].map((name) => [name]);
/** What a submodule's git folder has before it is complete */
const SIGNS = [...PARTS, 'config', 'commondir'];

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** True when git of the host would take the folder for a repository. */
export function isGitFolder(folder: string, facts: WorkspaceFacts): boolean {
  return isComplete((name) => facts.entry(joinPath(folder, name)) !== undefined);
}

/** As git's `is_git_directory`, but by names alone: what `HEAD` says can change at any time. */
function isComplete(has: (name: string) => boolean): boolean {
  return has('HEAD') && (has('commondir') || (has('objects') && has('refs')));
}

interface Completion {
  folder: string;
  /** Folded */
  name: string;
  facts: WorkspaceFacts;
  fold: (name: string) => string;
}

/** True when the folder is no repository, and with an entry of this name would be one. */
export function wouldComplete({ folder, name, facts, fold }: Completion): boolean {
  const part = [...PARTS, 'commondir'].find((one) => fold(one) === name);
  if (part === undefined || isGitFolder(folder, facts)) return false;
  return isComplete((one) => one === part || facts.entry(joinPath(folder, one)) !== undefined);
}

/** True for the parts of a git folder without which it would lose its protection. */
export function isGitPart(rest: readonly string[], fold: (name: string) => string): boolean {
  return rest.length === 1 && PARTS.some((part) => fold(part) === rest[0]);
}

/** True below the folders whose names are those of branches and objects. */
export function isGitData(rest: readonly string[], fold: (name: string) => string): boolean {
  return DATA.some((name) => fold(name) === rest[0]);
}

/** True for a folder below `modules` that is a submodule's git folder, also an unfinished one. */
export function isModule(folder: string, facts: WorkspaceFacts): boolean {
  return SIGNS.some((name) => facts.entry(joinPath(folder, name)) !== undefined);
}

/** The row of GIT_ROWS that covers a path inside of a git folder. */
export function gitRowOf(rest: readonly string[], fold: (name: string) => string): keyof typeof GIT_ROWS | undefined {
  return ROWS.find(({ names }) => isCovered(rest, names.map(fold)))?.id;
}

/** True when no row begins at this folder or below it: it can be renamed inside of its git folder. */
export function isFreeOfRows(rest: readonly string[], fold: (name: string) => string): boolean {
  const begins = [...AREAS, ...ROWS.map(({ names }) => names)];
  return (
    gitRowOf(rest, fold) === undefined &&
    !begins.some((names) => rest.every((name, at) => fold(names[at] ?? '') === name))
  );
}

function isCovered(rest: readonly string[], names: readonly string[]): boolean {
  return names.every((name, at) => {
    const one = rest[at];
    if (one === undefined || !name.endsWith('*'))
      return one === name || (at === names.length - 1 && one === `${name}${LOCK}`);
    return one.startsWith(name.slice(0, -1));
  });
}
