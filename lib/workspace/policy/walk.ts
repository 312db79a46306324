/** Walks a path from the workspace down, one name after the other, and collects the rules that cover it. */
import { builtIn } from './built-in.ts';
import type { WorkspacePolicy } from './compile.ts';
import type { Finding, Step, Walk } from './findings.ts';
import { isGitFolder, joinPath, TREE } from './git-place.ts';
import { isMatch, nextState, type PatternState, startState } from './path-pattern.ts';
import { PACKAGES_FOLDER } from './settings-rows.ts';
import type { EntryKind, WorkspaceFacts } from './types.ts';

export function startWalk(policy: WorkspacePolicy, facts: WorkspaceFacts): Walk {
  const root: Walk = {
    path: '',
    folded: '',
    states: policy.patterns.map(startState),
    isOpen: false,
    inPackages: false,
    place: TREE,
    findings: [],
  };
  return isGitFolder('', facts) ? { ...root, place: { in: 'git', root: '', rest: [] } } : root;
}

interface Next {
  above: Walk;
  name: string;
  /** Of the entry, or of the one to be made; a name further up on the path is a folder */
  kind: EntryKind | undefined;
  facts: WorkspaceFacts;
}

export function walkTo(policy: WorkspacePolicy, next: Next): Walk {
  const { above } = next;
  const name = policy.fold(next.name);
  const path = joinPath(above.path, next.name);
  const folded = joinPath(above.folded, name);
  const step: Step = { ...next, policy, path, name, folded };
  const states = policy.patterns.map((pattern, at) => nextState(pattern, above.states[at] ?? [], name));
  const isOpen = above.isOpen || policy.openPaths.has(folded) || isOpenGit(step);
  const { place, findings } = isOpen ? { place: TREE, findings: [] } : builtIn(step);
  const inherited = above.findings.filter(({ operations, lower, rule }) => {
    // What is opened is open below a protected folder too; not in a folder that the host does not have.
    const isKept = !isOpen || !lower || rule.source !== undefined;
    return operations === undefined && isKept;
  });
  return {
    path,
    folded,
    states,
    isOpen,
    inPackages: above.inPackages || name === policy.fold(PACKAGES_FOLDER),
    place,
    findings: strongest([
      ...inherited,
      ...fixedFindings(step),
      ...patternFindings(step, states),
      ...layerFindings(step),
      ...findings,
    ]),
  };
}

function isOpenGit({ policy, name }: Step): boolean {
  return name === policy.fold('.git') && policy.openNames.has(name);
}

/** What the project cannot open by `unprotect` */
function fixedFindings({ policy, facts, folded }: Step): Finding[] {
  const configFile = policy.has('config-file') ? policy.configFiles.paths.get(folded) : undefined;
  if (configFile !== undefined) {
    const rule = { id: 'config-file', text: configFile, reason: 'the rights of the sandbox are written in it' };
    return [{ verdict: 'private', lower: true, rule }];
  }
  const text = facts.hiddenTargets?.paths.get(folded);
  if (text === undefined) return [];
  return [{ verdict: 'hidden', lower: false, rule: { id: 'hide-link', text, reason: 'a hidden link leads to it' } }];
}

function patternFindings({ policy, kind }: Step, states: readonly PatternState[]): Finding[] {
  // Unknown kind: there is no such entry yet, and it may become a folder.
  const isFolder = kind === undefined || kind === 'folder';
  return policy.patterns
    .filter((pattern, at) => isMatch(pattern, states[at] ?? [], isFolder))
    .map(({ verdict, rule }) => ({ verdict, lower: false, rule }));
}

/** What was made in the private layer stays there, also when the facts that put it there have changed. */
function layerFindings({ facts, path }: Step): Finding[] {
  const held = facts.layer?.(path);
  if (held === undefined) return [];
  const rule = { id: 'layer', text: path, reason: 'the private layer of this sandbox has it' };
  if (held === 'opaque') return [{ verdict: 'private', lower: false, rule }];
  return facts.entry(path) === 'folder' ? [] : [{ verdict: 'private', lower: true, rule }];
}

/** The first of each strength: long paths would collect one for each folder. */
function strongest(findings: Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ verdict, lower, operations }) => {
    const key = `${verdict} ${lower} ${operations?.join(',') ?? ''}`;
    return !seen.has(key) && seen.add(key);
  });
}
