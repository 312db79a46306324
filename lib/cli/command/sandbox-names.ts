/** Lists the names of sandboxes for completion. */
import { DaemonClient } from '../../api/client.ts';
import { running } from '../../api/connection.ts';
import { ownProject } from '../../api/project-dir.ts';
import type { SandboxStatus } from '../../api/sandbox-status.ts';
import type { SbxContext } from './context.ts';

/** Bare names if they are unambiguous, else PROJECT/NAME. */
export async function sandboxNames(context: SbxContext, partial: string): Promise<string[]> {
  // Completion does not start the daemon.
  const all = await new DaemonClient(running(context.home)).list().catch(() => []);
  const own = ownProject(context.process.cwd(), all);
  return all.map((one) => nameOf(one, all, own)).filter((name) => name.startsWith(partial));
}

function nameOf(one: SandboxStatus, all: SandboxStatus[], own: string | undefined): string {
  const alone = all.filter(({ name }) => name === one.name).length === 1;
  return alone || one.projectDir === own ? one.name : `${one.project}/${one.name}`;
}
