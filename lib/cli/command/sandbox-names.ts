/** The names of sandboxes, for completion. */

import { running } from '../../api/connection.ts';
import type { SandboxStatus } from '../../api/contract.ts';
import type { SbxContext } from './context.ts';

/** Bare names where they are enough, PROJECT/NAME elsewhere. */
export async function sandboxNames(context: SbxContext, partial: string): Promise<string[]> {
  const { DaemonClient } = await import('../../api/client.ts');
  const { ownProject } = await import('../../api/project-dir.ts');
  // Nothing is started for it.
  const all = await new DaemonClient(running(context.home)).list().catch(() => []);
  const own = ownProject(context.process.cwd(), all);
  return all.map((one) => nameOf(one, all, own)).filter((name) => name.startsWith(partial));
}

function nameOf(one: SandboxStatus, all: SandboxStatus[], own: string | undefined): string {
  const alone = all.filter(({ name }) => name === one.name).length === 1;
  return alone || one.projectDir === own ? one.name : `${one.project}/${one.name}`;
}
