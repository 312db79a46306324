/** Whether a project's file means what it meant before and some more allow entries, and nothing else that widens. Pure. */
import type { ProjectSpec } from '../spec/spec.ts';
import { wideningHash } from './widening.ts';

/** `entries`: as they stand in the lists of the file. */
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
