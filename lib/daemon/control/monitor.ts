/** What nobody tells of is found by looking: a machine that died unseen, a clock that fell behind, a disk that is full, a console that grows. */

import { createClockWatch } from '../../engine/local/vm/clock-sync.ts';
import { instancePaths } from '../../paths.ts';
import { boundConsole } from '../../vm/console-log.ts';
import type { Core } from './control.ts';
import { stopIdleOnes } from './stop-idle.ts';

export const LOOK_EVERY_MS = 10_000;

/** Whoever died or was changed from outside is found, and brought back; what cannot be brought back is not tried more often for that. */
export function lookNowAndThen(core: Core): NodeJS.Timeout {
  const { deps, supervisor, disks } = core;
  const clocks = createClockWatch();
  const timer = setInterval(() => {
    const records = deps.records.list();
    void clocks.look(records.flatMap(({ id }) => deps.guests.get(id) ?? []));
    void disks.look(records.map(({ id }) => ({ id, places: instancePaths(deps.home, id) })));
    void deps.pool.tend();
    void stopIdleOnes(core, records);
    for (const { id } of records) {
      supervisor.look(id);
      boundConsole(instancePaths(deps.home, id).console);
    }
  }, LOOK_EVERY_MS);
  return timer.unref();
}
