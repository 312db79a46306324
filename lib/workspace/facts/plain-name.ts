/** Tells early that no rule covers a name: most names of a project are such. */
import type { WorkspacePolicy } from '../policy/compile.ts';
import type { Walk } from '../policy/findings.ts';
import type { PathIndex } from '../policy/match/path-index.ts';
import { isMatch, nextState } from '../policy/path-pattern.ts';
import { isOwnName } from '../policy/protected/own-names.ts';
import type { WorkspaceFacts } from '../policy/types.ts';

interface PlainRequest {
  above: Walk;
  /** Of what is no folder */
  name: string;
  facts: WorkspaceFacts;
}

/** True only if `walkTo` would find nothing for the name. */
export function isPlainName(policy: WorkspacePolicy, { above, name: given, facts }: PlainRequest): boolean {
  if (above.findings.length > 0 || above.place.in !== 'tree' || facts.layer !== undefined) return false;
  const name = policy.fold(given);
  if (isOwnName(name) || policy.settings.has(name) || policy.gitParts.has(name) || name === policy.dotGit) return false;
  const indexes = [policy.configFiles, facts.named, facts.pointers, facts.hiddenTargets];
  if (indexes.some((index) => index !== undefined && reaches(index, above.folded))) return false;
  return !policy.patterns.some((pattern, at) =>
    isMatch(pattern, nextState(pattern, above.states[at] ?? [], name), true),
  );
}

/** True when a path of the index may lie directly in the folder. */
function reaches({ paths, parents }: PathIndex, folder: string): boolean {
  return paths.size > 0 && (folder === '' || parents.has(folder));
}
