/** Where a path lies as git of the host sees it: in a tree, in a git folder, or among the git folders of submodules. */
import { GIT_PARTS, GIT_ROWS } from './protected/git-rows.ts';
import type { WorkspaceFacts } from './types.ts';

export type Place =
  | { in: 'tree' }
  /** `rest`: folded names below the git folder `root` */
  | { in: 'git'; root: string; rest: readonly string[] }
  /** Below `modules` of a git folder, where a submodule's name may have slashes, and no git folder yet */
  | { in: 'modules' };

export const TREE: Place = { in: 'tree' };
const LOCK = '.lock';
const DATA = ['objects', 'refs', 'logs'];
const ROWS = Object.entries(GIT_ROWS).flatMap(([id, { paths }]) =>
  paths.map((path) => ({ id, names: path.split('/') })),
);
/** Where a rename of a folder inside of a git folder is never free */
const AREAS = ['modules', 'worktrees', ...GIT_PARTS].map((name) => [name]);
/** What a submodule's git folder has before it is complete */
const SIGNS = [...GIT_PARTS, 'config', 'commondir'];

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

/** True when the folder is no repository, and with `part` would be one. */
export function wouldComplete(folder: string, part: string, facts: WorkspaceFacts): boolean {
  if (isGitFolder(folder, facts)) return false;
  return isComplete((one) => one === part || facts.entry(joinPath(folder, one)) !== undefined);
}

/** True for the parts of a git folder without which it would lose its protection. */
export function isGitPart(rest: readonly string[], fold: (name: string) => string): boolean {
  return rest.length === 1 && GIT_PARTS.some((part) => fold(part) === rest[0]);
}

/** True below the folders whose names are those of branches and objects. */
export function isGitData(rest: readonly string[], fold: (name: string) => string): boolean {
  return DATA.some((name) => fold(name) === rest[0]);
}

/** True for a folder below `modules` that is a submodule's git folder, also an unfinished one. */
export function isModule(folder: string, facts: WorkspaceFacts): boolean {
  return SIGNS.some((name) => facts.entry(joinPath(folder, name)) !== undefined);
}

/** GIT_ROWS by the folded first name of their paths */
export interface GitRows {
  byName: ReadonlyMap<string, readonly GitPath[]>;
  /** Those that any rest of the name follows */
  byPrefix: readonly GitPath[];
}

interface GitPath {
  id: keyof typeof GIT_ROWS;
  names: readonly string[];
}

export function compileGitRows(fold: (name: string) => string): GitRows {
  const paths = ROWS.flatMap(({ id, names }): GitPath[] => {
    const folded = names.map(fold);
    const locked = [...folded.slice(0, -1), `${folded.at(-1)}${LOCK}`];
    return [folded, locked].map((one) => ({ id, names: one }));
  });
  const byName = new Map<string, GitPath[]>();
  const byPrefix: GitPath[] = [];
  for (const { id, names } of paths) {
    const [first = ''] = names;
    if (first.endsWith('*')) byPrefix.push({ id, names: [first.slice(0, -1)] });
    else byName.set(first, [...(byName.get(first) ?? []), { id, names }]);
  }
  return { byName, byPrefix };
}

/** The row of GIT_ROWS that covers a path inside of a git folder. */
export function gitRowOf({ byName, byPrefix }: GitRows, rest: readonly string[]): keyof typeof GIT_ROWS | undefined {
  const first = rest[0] ?? '';
  const exact = byName.get(first)?.find(({ names }) => names.every((name, at) => name === rest[at]));
  return (exact ?? byPrefix.find(({ names }) => first.startsWith(names[0] ?? '')))?.id;
}

/** True when no row begins at this folder or below it: it can be renamed inside of its git folder. */
export function isFreeOfRows(rows: GitRows, rest: readonly string[], fold: (name: string) => string): boolean {
  const begins = [...AREAS, ...ROWS.map(({ names }) => names)];
  if (gitRowOf(rows, rest) !== undefined) return false;
  return !begins.some((names) => rest.every((name, at) => fold(names[at] ?? '') === name));
}
