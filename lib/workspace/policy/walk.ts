/** Walks a path from the workspace down, one name after the other, and collects the rules that cover it. */
import { builtIn } from './built-in.ts';
import type { WorkspacePolicy } from './compile.ts';
import type { Finding, Step, Walk } from './findings.ts';
import { isGitFolder, joinPath, TREE } from './git-place.ts';
import { isMatch, nextState, type PatternState, startState } from './path-pattern.ts';
import { isOwnName } from './protected/own-names.ts';
import { surroundingFindings } from './surroundings.ts';
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

/** Once for each name of each operation: what most names have not is left before anything is made for it. */
export function walkTo(policy: WorkspacePolicy, { above, name: given, kind, facts }: Next): Walk {
  const name = policy.fold(given);
  const path = joinPath(above.path, given);
  const folded = joinPath(above.folded, name);
  const step: Step = { policy, facts, above, path, name, folded, kind };
  const states = policy.patterns.map((pattern, at) => nextState(pattern, above.states[at] ?? [], name));
  const isOpen = above.isOpen || isOpened(step);
  const { place, findings } = isOpen ? OPEN : builtIn(step);
  const all = inherited(above.findings, isOpen);
  addFixed(all, step);
  addPatterns(all, step, states);
  addLayer(all, step);
  if (policy.around !== undefined) all.push(...surroundingFindings(step));
  if (findings.length > 0) all.push(...findings);
  const inPackages = above.inPackages || name === policy.packages;
  return { path, folded, states, isOpen, inPackages, place, findings: all.length > 1 ? strongest(all) : all };
}

const OPEN = { place: TREE, findings: [] };

function isOpened({ policy, name, folded }: Step): boolean {
  if (name === policy.dotGit && policy.openNames.has(name)) return true;
  return policy.openPaths.size > 0 && policy.openPaths.has(folded);
}

function inherited(findings: readonly Finding[], isOpen: boolean): Finding[] {
  if (findings.length === 0) return [];
  return findings.filter(({ operations, lower, rule }) => {
    // What is opened is open below a protected folder too; not in a folder that the host does not have.
    const isKept = !isOpen || !lower || rule.source !== undefined;
    return operations === undefined && isKept;
  });
}

/** What the project cannot open by `unprotect` */
function addFixed(all: Finding[], { policy, facts, folded, name }: Step): void {
  if (policy.has('own-name') && isOwnName(name)) {
    const rule = { id: 'own-name', text: name, reason: '`sbx accept` is writing it' };
    all.push({ verdict: 'hidden', lower: false, rule });
  }
  const { configFiles } = policy;
  const configFile =
    configFiles.paths.size > 0 && policy.has('config-file') ? configFiles.paths.get(folded) : undefined;
  if (configFile !== undefined) {
    const rule = { id: 'config-file', text: configFile, reason: 'the rights of the sandbox are written in it' };
    all.push({ verdict: 'private', lower: true, rule });
  }
  const text = facts.hiddenTargets?.paths.get(folded);
  if (text === undefined) return;
  all.push({ verdict: 'hidden', lower: false, rule: { id: 'hide-link', text, reason: 'a hidden link leads to it' } });
}

function addPatterns(all: Finding[], { policy, kind, folded }: Step, states: readonly PatternState[]): void {
  // Unknown kind: there is no such entry yet, and it may become a folder.
  const isFolder = kind === undefined || kind === 'folder';
  // Names are hidden in the project: what it is called itself, and the folders that it lies in, is no part of that.
  const isWay = policy.around?.parents.has(folded) === true || policy.around?.paths.has(folded) === true;
  for (const [at, pattern] of policy.patterns.entries())
    if (isMatch(pattern, states[at] ?? [], isFolder) && !(isWay && pattern.verdict === 'hidden'))
      all.push({ verdict: pattern.verdict, lower: false, rule: pattern.rule });
}

/** What was made in the private layer stays there, also when the facts that put it there have changed. */
function addLayer(all: Finding[], { facts, path }: Step): void {
  const held = facts.layer?.(path);
  if (held === undefined || (held === 'entry' && facts.entry(path) === 'folder')) return;
  const rule = { id: 'layer', text: path, reason: 'the private layer of this sandbox has it' };
  all.push({ verdict: 'private', lower: held === 'entry', rule });
}

/** The first of each strength: long paths would collect one for each folder. */
function strongest(findings: Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ verdict, lower, operations }) => {
    const key = `${verdict} ${lower} ${operations?.join(',') ?? ''}`;
    return !seen.has(key) && seen.add(key);
  });
}
