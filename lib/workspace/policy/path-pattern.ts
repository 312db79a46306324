/**
 * Matches patterns as in .gitignore one name at a time: the state after a folder is all that matters below it. So a path costs its own names,
 * and two folders can be compared before one is renamed to the other.
 */
import { compileGlob } from './match/glob.ts';
import type { WorkspaceRule } from './types.ts';

type Segment = 'any' | ((name: string) => boolean);

export interface PathPattern {
  rule: WorkspaceRule;
  segments: readonly Segment[];
  foldersOnly: boolean;
}

/** Positions in the pattern that the names so far have reached, in order */
export type PatternState = readonly number[];

export interface PatternRequest {
  glob: string;
  rule: WorkspaceRule;
  fold: (name: string) => string;
  /** From the workspace on, also without a slash */
  anchored?: boolean;
}

export function compilePathPattern({ glob, rule, fold, anchored = false }: PatternRequest): PathPattern {
  const names = glob.split('/').filter((name) => name !== '' && name !== '.');
  const foldersOnly = glob.endsWith('/');
  const segments = names.map((name): Segment => (name === '**' ? 'any' : nameMatcher(fold(name))));
  // `a/**` means what is in the folder, not the folder.
  if (segments.at(-1) === 'any') segments.push(() => true);
  const isAnchored = anchored || (foldersOnly ? glob.replace(/\/$/, '') : glob).includes('/');
  return { rule, segments: isAnchored || segments[0] === 'any' ? segments : ['any', ...segments], foldersOnly };
}

function nameMatcher(name: string): Segment {
  const matches = compileGlob(name);
  return (one) => matches(one, false);
}

export function startState(pattern: PathPattern): PatternState {
  const state: number[] = [];
  reach(pattern, state, 0);
  return state;
}

const NONE: PatternState = [];
/** Of a pattern that is one name at any depth, which most are */
const NOT_HERE: PatternState = [0, 1];
const HERE: PatternState = [0, 1, 2];

/** The state one name further down */
export function nextState(pattern: PathPattern, state: PatternState, foldedName: string): PatternState {
  if (state.length === 0) return NONE;
  const [first, second] = pattern.segments;
  if (pattern.segments.length === 2 && first === 'any' && typeof second === 'function')
    return second(foldedName) ? HERE : NOT_HERE;
  const reached: number[] = [];
  for (const at of state) {
    const segment = pattern.segments[at];
    if (segment === 'any') reach(pattern, reached, at);
    else if (segment?.(foldedName)) reach(pattern, reached, at + 1);
  }
  return reached;
}

export function isMatch(pattern: PathPattern, state: PatternState, isFolder: boolean): boolean {
  return state.at(-1) === pattern.segments.length && pattern.segments.length > 0 && (isFolder || !pattern.foldersOnly);
}

/** `**` stands also for no folder at all. Positions come in order, so a smaller one than the last is there already. */
function reach({ segments }: PathPattern, state: number[], position: number): void {
  if (position <= (state.at(-1) ?? -1)) return;
  let at = position;
  while (segments[at] === 'any') state.push(at++);
  state.push(at);
}
