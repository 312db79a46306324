/** The mounts of one VM's workspace, from facts: pure. Parents come before children; hidden wins over read-only. */
import type { JailMount } from '../jail-mount.ts';

/** Where the workspace lies in the jail */
export const EXPORT_WORKSPACE = '/export/ws';

export interface MountFacts {
  workspace: string;
  /** Paths below the workspace that exist now and may not be written */
  readonly: string[];
  hidden: { path: string; kind: 'dir' | 'file' }[];
  extra: { host: string; readonly: boolean }[];
}

export function planMounts(facts: MountFacts): JailMount[] {
  const { workspace } = facts;
  const hidden = new Set(facts.hidden.map(({ path }) => path));
  const isBelowHidden = (path: string) => parentsOf(path).some((parent) => hidden.has(parent)) || hidden.has(path);
  const readonly = [...new Set(facts.readonly)].filter((path) => !isBelowHidden(path));
  // A mount point cannot be renamed or removed: every ancestor of a protected path is one.
  const pins = new Set([...readonly, ...hidden].flatMap(parentsOf).filter((path) => !isBelowHidden(path)));
  const mounts: JailMount[] = [
    ...[...pins]
      .filter((path) => !readonly.includes(path))
      .map((path) => ({ source: `${workspace}/${path}`, target: `${EXPORT_WORKSPACE}/${path}`, readonly: false })),
    ...readonly.map((path) => ({
      source: `${workspace}/${path}`,
      target: `${EXPORT_WORKSPACE}/${path}`,
      readonly: true,
    })),
    ...facts.hidden.map(({ path, kind }) => ({
      source: kind === 'dir' ? 'empty-dir' : '/dev/null',
      target: `${EXPORT_WORKSPACE}/${path}`,
      readonly: true,
    })),
  ];
  // A pin below a read-only folder would open it again.
  const kept = mounts.filter(
    (mount) => mount.readonly || !readonly.some((path) => mount.target.startsWith(`${EXPORT_WORKSPACE}/${path}/`)),
  );
  return [
    { source: workspace, target: EXPORT_WORKSPACE, readonly: false },
    ...kept.toSorted((a, b) => depth(a.target) - depth(b.target) || (a.target < b.target ? -1 : 1)),
    ...facts.extra.map(({ host, readonly: ro }, index) => ({
      source: host,
      target: `/export/m${index}`,
      readonly: ro,
    })),
  ];
}

function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function depth(path: string): number {
  return path.split('/').length;
}
