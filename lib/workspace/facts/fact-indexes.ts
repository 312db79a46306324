/** Indexes the paths that the folders of a root name. */
import { indexPaths } from '../policy/match/path-index.ts';
import type { WorkspaceFacts } from '../policy/types.ts';
import type { FolderFacts } from './folder-facts.ts';

export type FactIndexes = Required<Pick<WorkspaceFacts, 'named' | 'pointers' | 'hiddenTargets'>>;

/** @param named paths that something outside of the root names */
export function indexFacts(
  folders: readonly FolderFacts[],
  { named, fold }: { named: readonly string[]; fold: (name: string) => string },
): FactIndexes {
  const all = (list: (one: FolderFacts) => string[] | undefined) => folders.flatMap((one) => list(one) ?? []);
  return {
    named: indexPaths([...named, ...all((one) => one.named), ...all((one) => one.repository?.named)], fold),
    pointers: indexPaths(
      all((one) => one.repository?.pointers),
      fold,
    ),
    hiddenTargets: indexPaths(
      all((one) => one.hiddenTargets),
      fold,
    ),
  };
}

export function namesSomething(facts: FolderFacts | undefined): boolean {
  return facts !== undefined && (facts.repository !== undefined || facts.named.length + facts.hiddenTargets.length > 0);
}

/** Equal for folders that name the same paths */
export function textOf(facts: FolderFacts | undefined): string {
  if (facts === undefined || !namesSomething(facts)) return '';
  const { named, hiddenTargets, repository } = facts;
  return JSON.stringify([named, hiddenTargets, repository?.named ?? [], repository?.pointers ?? []]);
}

export function changedPaths(before: FactIndexes, after: FactIndexes): string[] {
  const lists = (['named', 'pointers', 'hiddenTargets'] as const).map((list) => [
    before[list].paths,
    after[list].paths,
  ]);
  const changed = lists.flatMap(([a, b]) => [
    ...[...(a?.keys() ?? [])].filter((path) => b?.has(path) !== true),
    ...[...(b?.keys() ?? [])].filter((path) => a?.has(path) !== true),
  ]);
  return [...new Set(changed)];
}
