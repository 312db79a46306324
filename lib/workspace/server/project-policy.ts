/** Puts the policy of a project in force in a session of the file server. */
import type { WorkspacePolicy } from '../policy/compile.ts';
import { decideWorkspace } from '../policy/decide.ts';
import { judgeRename } from '../policy/rename.ts';
import type { EntryKind } from '../policy/types.ts';
import { HostEntries, KINDS } from './host-entries.ts';
import { textOfPath } from './path-text.ts';
import type { Decide, JudgeRename, PolicyFile } from './tables/policy.ts';
import type { Root, Volume } from './tables/volume.ts';

/**
 * `policyOf` is asked at each operation, so that another policy is in force at once. A root without a policy is hidden.
 * The server handles one request after the other: no other request of a guest comes between a question and its operation.
 */
export function projectPolicy(
  volume: Volume,
  policyOf: (root: string) => WorkspacePolicy | undefined,
): { decide: Decide; judgeRename: JudgeRename } {
  const inRoot = <T>(name: string, otherwise: T, judge: (policy: WorkspacePolicy, root: Root) => T): T => {
    const policy = policyOf(name);
    const root = volume.roots.find((one) => one.name === name);
    return policy === undefined || root === undefined ? otherwise : judge(policy, root);
  };
  return {
    decide: ({ root: name, path, kind, operation }) =>
      inRoot(name, 'hidden', (policy, root) => {
        using facts = new HostEntries(root);
        return decideWorkspace(policy, { path: textOfPath(path), kind: kindOf(kind), operation, facts }).verdict;
      }),
    judgeRename: ({ root: name, from, to, kind }) =>
      inRoot(name, 'refuse', (policy, root) => {
        using facts = new HostEntries(root);
        const request = { from: textOfPath(from), to: textOfPath(to), kind: kindOf(kind) ?? 'other', facts };
        const { verdict } = judgeRename(policy, request);
        // Without a private layer there is nothing that it could move.
        return verdict === 'private' ? 'refuse' : verdict;
      }),
  };
}

function kindOf(kind: PolicyFile['kind']): EntryKind | undefined {
  return kind === 'unknown' ? undefined : KINDS[kind];
}
