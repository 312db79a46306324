/** Puts the policy of a project in force in a session of the file server. */
import type { Layer } from '../layer/layer.ts';
import type { WorkspacePolicy } from '../policy/compile.ts';
import { decideWorkspace } from '../policy/decide.ts';
import { judgeRename } from '../policy/rename.ts';
import type { EntryKind, WorkspaceDecision, WorkspaceFacts } from '../policy/types.ts';
import { HostEntries, KINDS } from './host-entries.ts';
import { bytesOfPath, textOfPath } from './sys/path-text.ts';
import type { Decide, JudgeRename, PolicyFile, Verdict } from './tables/policy.ts';
import type { Root, Volume } from './tables/volume.ts';

/** Besides the entries of the host and of the layer: see `WorkspaceFacts` */
interface FactSource {
  factsFor(path: string, identity: string | undefined): Omit<WorkspaceFacts, 'entry' | 'layer'>;
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
  layers: ReadonlyMap<string, Layer> = new Map(),
): { decide: Decide; judgeRename: JudgeRename } {
  const inRoot = <T>(name: string, otherwise: T, judge: (policy: RootPolicy, root: Root) => T): T => {
    const policy = policyOf(name);
    const root = volume.roots.find((one) => one.name === name);
    return policy === undefined || root === undefined ? otherwise : judge(policy, root);
  };
  return {
    decide: ({ root: name, path: bytes, kind, identity, operation }) =>
      inRoot(name, 'hidden', ({ policy, facts: source }, root) => {
        using host = new HostEntries(root);
        const path = textOfPath(bytes);
        const facts = { ...source?.factsFor(path, identity), ...entriesOf(host, layers.get(name)) };
        return verdictOf(decideWorkspace(policy, { path, kind: kindOf(kind), operation, facts }));
      }),
    judgeRename: ({ root: name, from: bytes, to, kind }) =>
      inRoot(name, 'refuse', ({ policy, facts: source }, root) => {
        using host = new HostEntries(root);
        const from = textOfPath(bytes);
        const facts = { ...source?.factsFor(from, undefined), ...entriesOf(host, layers.get(name)) };
        const request = { from, to: textOfPath(to), kind: kindOf(kind) ?? 'other', facts };
        return judgeRename(policy, request).verdict;
      }),
  };
}

function verdictOf({ verdict, lower }: WorkspaceDecision): Verdict {
  return verdict === 'private' && !lower ? 'private-only' : verdict;
}

function entriesOf(host: HostEntries, layer: Layer | undefined): Pick<WorkspaceFacts, 'entry' | 'layer'> {
  const entry = (path: string) => host.entry(path);
  return layer === undefined ? { entry } : { entry, layer: (path) => layer.held(bytesOfPath(path).split('/')) };
}

function kindOf(kind: PolicyFile['kind']): EntryKind | undefined {
  return kind === 'unknown' ? undefined : KINDS[kind];
}
