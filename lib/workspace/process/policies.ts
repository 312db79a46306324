/** The rules of each folder that a guest is served, and what they ask about it. */
import { isDeepStrictEqual } from 'node:util';
import { foldTraitsOf } from '../facts/fold-traits.ts';
import { RootFacts } from '../facts/root-facts.ts';
import { compileWorkspacePolicy, type WorkspacePolicy } from '../policy/compile.ts';
import { foldOf } from '../policy/match/fold.ts';
import type { AttachedFolder, FolderRules } from '../protocol/messages.ts';
import type { Volume } from '../server/tables/volume.ts';

/** By the name of the folder */
export type Policies = Map<string, FolderPolicy>;

interface FolderPolicy {
  policy: WorkspacePolicy;
  facts?: RootFacts;
  /** The folder with its rules, but for what is named: the same ones need not be read again */
  key: string;
  /** Paths that the host's git names */
  named: string[];
}

const NO_RULES: FolderRules = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [], named: [] };
/** A whole folder as read-only */
const ALL = [{ text: '/**', source: 'default' as const }];

/** What is the same as `before` is kept with all that was found: nothing waits for a walk again. */
export function policiesOf(volume: Volume, folders: AttachedFolder[], before: Policies = new Map()): Policies {
  const found: Policies = new Map();
  for (const folder of folders) {
    const root = volume.roots.find(({ name }) => name === folder.name);
    if (root === undefined) continue;
    const key = keyOf(folder);
    const known = before.get(folder.name);
    const named = folder.rules?.named ?? [];
    const isSame = known?.key === key;
    if (isSame && isDeepStrictEqual(known.named, named)) found.set(folder.name, known);
    else {
      if (isSame) known.facts?.setNamed(named);
      found.set(folder.name, { ...(isSame ? known : read(root.fd, folder)), key, named });
    }
  }
  return found;
}

function keyOf({ rules, ...folder }: AttachedFolder): string {
  return JSON.stringify([folder, rules && { ...rules, named: [] }]);
}

/** Gives up all but those that are `kept`. */
export function release(policies: Policies, kept: Policies = new Map()): void {
  for (const [name, one] of policies) if (kept.get(name)?.facts !== one.facts) one.facts?.[Symbol.dispose]();
}

function read(fd: number, folder: AttachedFolder): Omit<FolderPolicy, 'key' | 'named'> {
  const policy = policyOf(folder, foldOf(foldTraitsOf(fd)));
  const { hostPath, rules } = folder;
  // No content is shown, so that no name of a file opens another one: the whole repository need not be walked.
  if (policy.around !== undefined) return { policy };
  // Nothing is hidden in it, and every change is refused.
  if (folder.readonly && rules === undefined) return { policy };
  return { policy, facts: new RootFacts({ fd, hostPath, policy, named: rules?.named ?? [] }) };
}

function policyOf({ readonly, rules = NO_RULES }: AttachedFolder, fold: (name: string) => string): WorkspacePolicy {
  return compileWorkspacePolicy({ ...rules, readonly: readonly ? ALL : rules.readonly, fold });
}
