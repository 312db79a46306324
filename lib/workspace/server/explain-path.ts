/** Explains what a guest gets at a path, by what is on the host at this moment. */
import type { Layer } from '../layer/layer.ts';
import { explainWorkspace, type WorkspaceExplanation } from '../policy/explain.ts';
import { entriesOf, HostEntries } from './host-entries.ts';
import type { RootPolicy } from './project-policy.ts';
import { bytesOfPath } from './sys/path-text.ts';
import type { Root } from './tables/volume.ts';

/** @param path relative to the root; a slash at the end of what does not exist says that a folder is meant */
export async function explainPath(
  root: Root,
  { policy, facts: source, layer }: RootPolicy & { layer?: Layer | undefined },
  path: string,
): Promise<WorkspaceExplanation> {
  const clean = path.replace(/\/$/, '');
  const stat = clean === '' ? undefined : statOf(root, clean);
  // A hard link may be protected by a name that was not seen yet.
  if (stat !== undefined) await source?.pending(stat);
  using entries = new HostEntries(root);
  const alias = stat === undefined ? undefined : source?.aliasOf(stat.identity);
  const facts = {
    ...source?.factsFor(clean),
    ...entriesOf(entries, layer),
    ...(alias === undefined ? {} : { alias }),
  };
  return explainWorkspace(policy, { path, facts });
}

function statOf(root: Root, path: string) {
  using entries = new HostEntries(root);
  return entries.stat(bytesOfPath(path));
}
