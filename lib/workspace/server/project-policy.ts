/** Puts the policy of a project in force in a session of the file server. */
import type { WorkspacePolicy } from '../policy/compile.ts';
import { decideWorkspace } from '../policy/decide.ts';
import { judgeRename } from '../policy/rename.ts';
import type { EntryKind, WorkspaceFacts } from '../policy/types.ts';
import { HostEntries, KINDS } from './host-entries.ts';
import { textOfPath } from './sys/path-text.ts';
import type { Decide, JudgeRename, PolicyFile } from './tables/policy.ts';
import type { Root, Volume } from './tables/volume.ts';

/** Besides the entries of the host: see `WorkspaceFacts` */
interface FactSource {
  factsFor(path: string, identity: string | undefined): Omit<WorkspaceFacts, 'entry'>;
}

export interface RootPolicy {
  policy: WorkspacePolicy;
  facts?: FactSource;
}

/**
 * `policyOf` is asked at each operation, so that another policy is in force at once. A root without a policy is hidden.
 * The server handles one request after the other: no other request of a guest comes between a question and its operation.
 */
export function projectPolicy(
  volume: Volume,
  policyOf: (root: string) => RootPolicy | undefined,
): { decide: Decide; judgeRename: JudgeRename } {
  const inRoot = <T>(name: string, otherwise: T, judge: (policy: RootPolicy, root: Root) => T): T => {
    const policy = policyOf(name);
    const root = volume.roots.find((one) => one.name === name);
    return policy === undefined || root === undefined ? otherwise : judge(policy, root);
  };
  return {
    decide: ({ root: name, path: bytes, kind, identity, operation }) =>
      inRoot(name, 'hidden', ({ policy, facts: source }, root) => {
        using entries = new HostEntries(root);
        const path = textOfPath(bytes);
        const facts = { entry: (one: string) => entries.entry(one), ...source?.factsFor(path, identity) };
        return decideWorkspace(policy, { path, kind: kindOf(kind), operation, facts }).verdict;
      }),
    judgeRename: ({ root: name, from: bytes, to, kind }) =>
      inRoot(name, 'refuse', ({ policy, facts: source }, root) => {
        using entries = new HostEntries(root);
        const from = textOfPath(bytes);
        const facts = { entry: (one: string) => entries.entry(one), ...source?.factsFor(from, undefined) };
        const request = { from, to: textOfPath(to), kind: kindOf(kind) ?? 'other', facts };
        const { verdict } = judgeRename(policy, request);
        // Without a private layer there is nothing that it could move.
        return verdict === 'private' ? 'refuse' : verdict;
      }),
  };
}

function kindOf(kind: PolicyFile['kind']): EntryKind | undefined {
  return kind === 'unknown' ? undefined : KINDS[kind];
}
