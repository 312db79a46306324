/** Compiles what the project says about its workspace. */
import type { Source } from '../../spec/spec.ts';
import { compileGitRows, type GitRows } from './git-place.ts';
import { indexPaths, type PathIndex } from './match/path-index.ts';
import { compilePathPattern, type PathPattern } from './path-pattern.ts';
import { GIT_PARTS, GIT_ROWS, GIT_RULES } from './protected/git-rows.ts';
import { PACKAGES_FOLDER, SETTINGS_ROWS } from './protected/settings-rows.ts';
import type { WorkspaceRule } from './types.ts';

interface WorkspaceEntry {
  text: string;
  source: Source;
}

export interface WorkspaceRules {
  /** Patterns as in .gitignore */
  hide: readonly WorkspaceEntry[];
  /** Patterns from the workspace on, as in .gitignore with a slash before them */
  readonly: readonly WorkspaceEntry[];
  /** Patterns as in .gitignore */
  private: readonly WorkspaceEntry[];
  /** Paths, or one name that a built-in rule has, at any depth */
  unprotect: readonly WorkspaceEntry[];
  /** Files below the workspace, relative to it, that the project's configuration is made of: `unprotect` does not open them */
  configFiles: readonly string[];
  /** Paths below the root that are served as roots of their own; given, the rest of it has names and attributes alone */
  around?: readonly string[] | undefined;
  /** A folder that no program of the host works in: the built-in rules about those are off */
  own?: boolean | undefined;
  /** How the host's file system compares names; of several file systems in one workspace the one that folds most */
  fold: (name: string) => string;
  /** Built-in rules to leave out. For tests only, which show what each rule prevents. */
  without?: readonly string[];
}

export interface WorkspacePolicy {
  patterns: readonly (PathPattern & { verdict: 'hidden' | 'read-only' | 'private' })[];
  /** Built-in rules by folded name */
  settings: ReadonlyMap<string, WorkspaceRule>;
  configFiles: PathIndex;
  around: PathIndex | undefined;
  /** Folded paths that are open, with all below them */
  openPaths: ReadonlySet<string>;
  /** Folded names whose own built-in rule is off at any depth */
  openNames: ReadonlySet<string>;
  fold: (name: string) => string;
  /** Folded names that are compared all the time */
  dotGit: string;
  packages: string;
  /** Parts of a git folder by folded name */
  gitParts: ReadonlyMap<string, string>;
  gitRows: GitRows;
  has(rule: string): boolean;
}

export function compileWorkspacePolicy(rules: WorkspaceRules): WorkspacePolicy {
  const { fold } = rules;
  const left = new Set(rules.without ?? []);
  const has = (rule: string) => !left.has(rule) && !(rules.own === true && isOfHost(rule));
  const settings = settingsRules(fold, has);
  const opened = rules.unprotect.map(({ text }) => [...indexPaths([text], fold).paths.keys()].join('/'));
  return {
    patterns: [
      ...rules.hide.map(compileEntry(rules, 'hide')),
      ...rules.readonly.map(compileEntry(rules, 'readonly')),
      ...rules.private.map(compileEntry(rules, 'private')),
    ],
    settings,
    configFiles: indexPaths(rules.configFiles, fold),
    around: rules.around === undefined || !has('around') ? undefined : indexPaths(rules.around, fold),
    openPaths: new Set(opened.filter((path) => path !== '')),
    openNames: new Set(opened.filter((path) => path === fold('.git') || settings.has(path))),
    fold,
    dotGit: fold('.git'),
    packages: fold(PACKAGES_FOLDER),
    gitParts: new Map([...GIT_PARTS, 'commondir'].map((name) => [fold(name), name])),
    gitRows: compileGitRows(fold),
    has,
  };
}

/** It is about programs of the host; all others hold the rules of the project together. */
function isOfHost(rule: string): boolean {
  return rule in SETTINGS_ROWS || rule in GIT_RULES || rule in GIT_ROWS;
}

const LISTS = {
  hide: { verdict: 'hidden', reason: 'the project hides it' },
  readonly: { verdict: 'read-only', reason: 'the project makes it read-only' },
  private: { verdict: 'private', reason: 'the project keeps it apart: neither side sees the other' },
} as const;

function compileEntry({ fold }: WorkspaceRules, list: keyof typeof LISTS) {
  const { verdict, reason } = LISTS[list];
  return ({ text, source }: WorkspaceEntry) => {
    const rule: WorkspaceRule = { id: list, text: `${list} = [${JSON.stringify(text)}]`, reason, source };
    return { ...compilePathPattern({ glob: text, rule, fold, anchored: list === 'readonly' }), verdict };
  };
}

function settingsRules(fold: (name: string) => string, has: (rule: string) => boolean): Map<string, WorkspaceRule> {
  const found = new Map<string, WorkspaceRule>();
  for (const [id, { names, reason }] of Object.entries(SETTINGS_ROWS).filter(([one]) => has(one)))
    for (const name of names) found.set(fold(name), { id, text: name, reason });
  return found;
}

/** A built-in rule as it is shown. */
export function gitRule(id: keyof typeof GIT_RULES | keyof typeof GIT_ROWS, text: string): WorkspaceRule {
  return { id, text, reason: id in GIT_RULES ? GIT_RULES[id as keyof typeof GIT_RULES] : (GIT_ROWS[id]?.reason ?? '') };
}
