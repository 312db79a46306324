/** The built-in rules: settings, git folders, and what the host's git config names. */
import { gitRule } from './compile.ts';
import type { Finding, Step } from './findings.ts';
import {
  gitRowOf,
  isGitData,
  isGitFolder,
  isGitPart,
  isModule,
  joinPath,
  type Place,
  TREE,
  wouldComplete,
} from './git-place.ts';
import type { EntryKind, WorkspaceOperation, WorkspaceRule } from './types.ts';

const MAKES: readonly WorkspaceOperation[] = ['create', 'rename-to'];
const TAKES: readonly WorkspaceOperation[] = ['remove', 'rename-from'];

export interface BuiltIn {
  place: Place;
  findings: Finding[];
}

/** For one name of a path. */
export function builtIn(step: Step): BuiltIn {
  const { policy, facts, above, path, name, folded } = step;
  const own = nameFindings(step);
  const withOwn = (one: BuiltIn): BuiltIn =>
    own.length === 0 ? one : { place: one.place, findings: [...own, ...one.findings] };
  if (name === policy.dotGit) return withOwn(dotGit(step));
  if (facts.pointers?.paths.has(folded)) return withOwn(gitFolder(step));
  const part = policy.gitParts.get(name);
  if (part !== undefined && policy.has('git-complete') && wouldComplete(above.path, part, facts))
    own.push({ verdict: 'private', lower: false, rule: gitRule('git-complete', path) });
  // A row holds also for a folder that looks like a repository.
  if (above.place.in === 'git' && gitRowOf(policy.gitRows, [...above.place.rest, name]) !== undefined)
    return withOwn(insideGit(step, above.place));
  if (facts.entry(path) === 'folder' && isGitFolder(path, facts)) return withOwn(gitFolder(step));
  if (above.place.in === 'modules') return withOwn(moduleFolder(step));
  if (above.place.in === 'git') return withOwn(insideGit(step, above.place));
  return withOwn({ place: TREE, findings: [] });
}

/** By the name, or since something on the host names the path. */
function nameFindings(step: Step): Finding[] {
  const { policy, above, name } = step;
  const settings = policy.openNames.has(name) ? undefined : policy.settings.get(name);
  const found: Finding[] = [];
  const isData = above.place.in === 'git' && isGitData(above.place.rest, policy.fold);
  if (settings !== undefined && !above.inPackages && !isData) found.push(privately(settings));
  if (step.facts.named !== undefined && policy.has('git-named')) found.push(...namedFindings(step));
  return found;
}

/** A folder on the way must not become a link: the host would follow it to what the guest wrote elsewhere. */
function namedFindings({ facts: { named }, folded, kind }: Step): Finding[] {
  const text = named?.paths.get(folded);
  if (text !== undefined) return [privately(gitRule('git-named', text))];
  if (named?.parents.has(folded) !== true || linkOperations(kind).length === 0) return [];
  return [{ ...privately(gitRule('git-named', folded)), operations: linkOperations(kind) }];
}

/** `.git` of a tree. One that the host has not is the sandbox's own as a whole. */
function dotGit(step: Step): BuiltIn {
  const kind = step.facts.entry(step.path);
  if (kind === 'folder') return gitFolder(step);
  if (kind === undefined) return newGit(step);
  return { place: TREE, findings: step.policy.has('git-file') ? [privately(gitRule('git-file', step.path))] : [] };
}

function newGit({ policy, path }: Step): BuiltIn {
  const isOn = policy.has('git-new');
  return { place: TREE, findings: isOn ? [{ verdict: 'private', lower: false, rule: gitRule('git-new', path) }] : [] };
}

/** A git folder of the host: written to, but never put in place or taken away. */
function gitFolder(step: Step): BuiltIn {
  const { policy, facts, path } = step;
  if (facts.entry(path) === undefined) return newGit(step);
  const findings: Finding[] = [];
  if (policy.has('git-new'))
    findings.push({ verdict: 'private', lower: false, rule: gitRule('git-new', path), operations: MAKES });
  if (policy.has('git-keep')) findings.push({ ...privately(gitRule('git-keep', path)), operations: TAKES });
  return { place: { in: 'git', root: path, rest: [] }, findings };
}

function insideGit(step: Step, { root, rest: before }: Extract<Place, { in: 'git' }>): BuiltIn {
  const { policy, path, name } = step;
  const rest = [...before, name];
  if (rest.length === 1 && name === policy.fold('modules'))
    return { place: { in: 'modules' }, findings: linkFindings(step) };
  if (rest.length === 2 && rest[0] === policy.fold('worktrees')) return gitFolder(step);
  const findings = linkFindings(step);
  const row = gitRowOf(policy.gitRows, rest);
  if (row !== undefined && policy.has(row)) findings.push(privately(gitRule(row, path)));
  if (isGitPart(rest, policy.fold) && policy.has('git-keep'))
    findings.push({ ...privately(gitRule('git-keep', path)), operations: TAKES });
  const isTree = row === undefined && !isGitData(rest, policy.fold) && hasDotGit(step);
  return { place: isTree ? TREE : { in: 'git', root, rest }, findings };
}

/** A work tree that lies in a bare repository; only the host can have made its `.git`. */
function hasDotGit({ facts, path }: Step): boolean {
  return facts.entry(path) === 'folder' && facts.entry(joinPath(path, '.git')) !== undefined;
}

function moduleFolder(step: Step): BuiltIn {
  const { facts, path } = step;
  const kind = facts.entry(path);
  if (kind === undefined || (kind === 'folder' && isModule(path, facts))) return gitFolder(step);
  return { place: { in: 'modules' }, findings: linkFindings(step) };
}

function linkFindings({ policy, path, kind }: Step): Finding[] {
  if (linkOperations(kind).length === 0 || !policy.has('git-link')) return [];
  return [{ ...privately(gitRule('git-link', path)), operations: linkOperations(kind) }];
}

/** What is asked of a link. Of an unknown kind is what is made there. */
function linkOperations(kind: EntryKind | undefined): readonly WorkspaceOperation[] {
  if (kind === undefined) return MAKES;
  return kind === 'link' ? [...MAKES, ...TAKES, 'link'] : [];
}

function privately(rule: WorkspaceRule): Finding {
  return { verdict: 'private', lower: true, rule };
}
