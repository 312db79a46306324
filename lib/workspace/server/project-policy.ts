/** Puts the policy of a project in force in a session of the file server. */
import type { Layer } from '../layer/layer.ts';
import type { WorkspacePolicy } from '../policy/compile.ts';
import { strictest } from '../policy/decide.ts';
import { judgeRename } from '../policy/rename.ts';
import type { EntryKind, WorkspaceDecision, WorkspaceFacts, WorkspaceOperation } from '../policy/types.ts';
import { entriesOf, HostEntries, KINDS } from './host-entries.ts';
import { Moments } from './moment.ts';
import { textOfPath } from './sys/path-text.ts';
import type { Decide, JudgeRename, LinkedFile, NameCheck, PolicyFile, Verdict } from './tables/policy.ts';
import type { Root, Volume } from './tables/volume.ts';

/** Besides the entries of the host and of the layer: see `WorkspaceFacts` */
interface FactSource {
  /** MUST be the same object as long as it says the same */
  factsFor(path: string): Omit<WorkspaceFacts, 'entry' | 'layer' | 'alias'>;
  aliasOf(identity: string): WorkspaceDecision | undefined;
  pending(file: LinkedFile): Promise<void> | undefined;
  linked(before: LinkedFile): void;
  walked(): Promise<void> | undefined;
}

export interface RootPolicy {
  policy: WorkspacePolicy;
  facts?: FactSource;
}

const NO_FACTS = {};
/** What was found out for one of them is true for the next */
const READING: ReadonlySet<WorkspaceOperation> = new Set(['lookup', 'list', 'read']);

/**
 * `policyOf` is asked at each operation, so that another policy is in force at once. A root without a policy is hidden.
 * The server handles one request after the other: no other request of a guest comes between a question and its operation.
 */
export function projectPolicy(
  volume: Volume,
  policyOf: (root: string) => RootPolicy | undefined,
  layers: ReadonlyMap<string, Layer> = new Map(),
): { decide: Decide; judgeRename: JudgeRename; names: NameCheck; onRequest: () => void } {
  const moments = new Moments();
  const inRoot = <T>(name: string, otherwise: T, judge: (policy: RootPolicy, root: Root) => T): T => {
    const policy = policyOf(name);
    const root = volume.roots.find((one) => one.name === name);
    return policy === undefined || root === undefined ? otherwise : judge(policy, root);
  };
  /** The work tree around a project has no facts of its own: one of its files can be another name of the project's. */
  const factsAbout = (name: string): FactSource[] => {
    const own = policyOf(name);
    const all = own?.policy.around === undefined ? [own] : volume.roots.map((root) => policyOf(root.name));
    return all.flatMap((one) => one?.facts ?? []);
  };
  return {
    decide: ({ root: name, path: bytes, kind, identity, operation }) =>
      inRoot(name, 'hidden', ({ policy, facts: source }, root) => {
        const path = textOfPath(bytes);
        if (!READING.has(operation)) moments.startChange();
        const facts = source?.factsFor(path) ?? NO_FACTS;
        const moment = moments.get({ root, policy, facts, layer: layers.get(name) });
        const decision = moment.decide(path, kindOf(kind), operation);
        if (identity === undefined) return verdictOf(decision);
        const aliases = factsAbout(name).flatMap((one) => one.aliasOf(identity) ?? []);
        return verdictOf(aliases.length === 0 ? decision : strictest([decision, ...aliases]));
      }),
    judgeRename: ({ root: name, from: bytes, to, kind }) =>
      inRoot(name, 'refuse', ({ policy, facts: source }, root) => {
        moments.startChange();
        using host = new HostEntries(root);
        const [from, target] = [textOfPath(bytes), textOfPath(to)];
        source?.factsFor(target);
        const facts = { ...source?.factsFor(from), ...entriesOf(host, layers.get(name)) };
        return judgeRename(policy, { from, to: target, kind: kindOf(kind) ?? 'other', facts }).verdict;
      }),
    names: {
      pending: (root, file) => firstOf(factsAbout(root), (one) => one.pending(file)),
      walked: (root) => policyOf(root)?.facts?.walked(),
      linked: (root, before) => policyOf(root)?.facts?.linked(before),
    },
    onRequest: () => moments.endChange(),
  };
}

function firstOf<T, R>(items: T[], ask: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = ask(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function verdictOf({ verdict, lower }: WorkspaceDecision): Verdict {
  return verdict === 'private' && !lower ? 'private-only' : verdict;
}

function kindOf(kind: PolicyFile['kind']): EntryKind | undefined {
  return kind === 'unknown' ? undefined : KINDS[kind];
}
