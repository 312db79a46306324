/** `[lifecycle] idle`: a sandbox that nobody used for so long is stopped, and stays so until somebody asks. */

import { instancePaths } from '../../paths.ts';
import type { InstanceRecord } from '../../state/records.ts';
import type { Core } from './control.ts';
import { stopIdle } from './lifecycle.ts';

type Looked = Pick<Core, 'deps' | 'supervisor' | 'uses'>;

function isIdle({ deps, supervisor, uses }: Looked, { id, applied }: InstanceRecord): boolean {
  const limit = (applied?.lifecycle.idleSeconds ?? 0) * 1000;
  const vm = limit === 0 ? undefined : deps.driver.find(instancePaths(deps.home, id));
  if (vm === undefined) return false;
  // Of a guest that has not told of its sessions nothing is known.
  const sessions = deps.guests.sessionsOf(id)?.running ?? 1;
  return uses.idleFor(id, `${vm.pid} ${vm.startTime}`, sessions > 0 || supervisor.busy(id)) >= limit;
}

export async function stopIdleOnes(core: Core, records: InstanceRecord[]): Promise<void> {
  const idle = records.filter((record) => isIdle(core, record));
  await Promise.all(
    idle.map(({ id, name }) =>
      stopIdle(core, id, (record) => isIdle(core, record)).catch((error: unknown) => {
        process.stderr.write(`${name}: it could not be stopped: ${error instanceof Error ? error.message : error}\n`);
      }),
    ),
  );
}
