/** Plans the mounts of one exported folder from facts: pure. Parents come before children; hidden wins over read-only wins over writable. */
import { SbxError } from '../../errors.ts';
import type { JailMount } from '../../system/jail-mount.ts';
import { parentsOf } from '../protect/folder-paths.ts';

export interface MountFacts {
  /** Real path on the host */
  root: string;
  /** Where it lies in the jail */
  target: string;
  /** Paths below it that exist now and may not be written */
  readonly: string[];
  hidden: { path: string; kind: 'dir' | 'file' }[];
}

/** The kernel's own limit is 100,000 a namespace; each one costs time at every start */
const MOST_MOUNTS = 2_000;

export function planMounts(facts: MountFacts): JailMount[] {
  const { root, target } = facts;
  const hidden = topmost(facts.hidden.map(({ path }) => path));
  const masks = new Map(facts.hidden.filter(({ path }) => hidden.has(path)).map((one) => [one.path, one])).values();
  const readonly = topmost(facts.readonly.filter((path) => !hidden.has(path) && !isBelowOneOf(path, hidden)));
  // A mount point cannot be renamed or removed: every ancestor of a protected path is one.
  const pins = new Set([...readonly, ...hidden].flatMap(parentsOf));
  const bind = (path: string, isReadonly: boolean) => ({
    source: `${root}/${path}`,
    target: `${target}/${path}`,
    readonly: isReadonly,
  });
  const mounts: JailMount[] = [
    // A pin at or below a read-only folder would open it again.
    ...[...pins]
      .filter((path) => !readonly.has(path) && !isBelowOneOf(path, readonly))
      .map((path) => bind(path, false)),
    ...[...readonly].map((path) => bind(path, true)),
    ...[...masks].map(({ path, kind }) => ({
      source: kind === 'dir' ? 'empty-dir' : '/dev/null',
      target: `${target}/${path}`,
      readonly: true,
    })),
  ];
  if (mounts.length > MOST_MOUNTS)
    throw new SbxError('workspace', `${root} would need ${mounts.length} mounts`, {
      why: `each hidden, read-only or protected path is one, with its parent folders; at most ${MOST_MOUNTS} are possible`,
      hint: 'hide common folders instead of single files',
    });
  return [
    { source: root, target, readonly: false },
    ...mounts.toSorted((a, b) => depth(a.target) - depth(b.target) || (a.target < b.target ? -1 : 1)),
  ];
}

function topmost(paths: string[]): Set<string> {
  const all = new Set(paths);
  return new Set(paths.filter((path) => !isBelowOneOf(path, all)));
}

function isBelowOneOf(path: string, folders: Set<string>): boolean {
  return parentsOf(path).some((parent) => folders.has(parent));
}

function depth(path: string): number {
  return path.split('/').length;
}
