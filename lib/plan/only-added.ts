/** Checks that a project gained only the given allow entries, and no other widening. Pure. */
import type { ProjectSpec } from '../spec/spec.ts';
import { wideningHash } from './widening.ts';

/** `entries`: as written in the file. */
export function onlyAdded(before: ProjectSpec, after: ProjectSpec, entries: readonly string[]): boolean {
  const sandboxes = before.sandboxes.map((spec) => {
    const now = after.sandboxes.find(({ name }) => name === spec.name)?.network.allow ?? [];
    const known = new Set(spec.network.allow.map(({ pattern, trusted }) => `${pattern} ${trusted}`));
    const added = now.filter(
      ({ text, pattern, trusted }) => entries.includes(text) && !known.has(`${pattern} ${trusted}`),
    );
    return { ...spec, network: { ...spec.network, allow: [...spec.network.allow, ...added] } };
  });
  return wideningHash({ ...before, sandboxes }) === wideningHash(after);
}
