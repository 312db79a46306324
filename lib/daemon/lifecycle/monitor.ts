/** Periodic checks for changes that raise no event: a VM that died, an idle sandbox, a clock that fell behind, a full disk. */
import { summaryOf } from '../../errors.ts';
import type { InstanceRecord } from '../../state/records.ts';
import type { Control } from '../control/control.ts';
import { stopIdle } from './lifecycle.ts';

export const CHECK_EVERY_MS = 10_000;

/** A halted sandbox stays halted. */
export function startMonitor(control: Control): NodeJS.Timeout {
  const { records, engine, supervisor } = control;
  const timer = setInterval(() => {
    const all = records.list();
    engine.tick();
    void stopIdleSandboxes(control, all);
    for (const { id } of all) supervisor.resync(id);
  }, CHECK_EVERY_MS);
  return timer.unref();
}

/** Stops sandboxes that were not used for `[lifecycle] idle`; they stay stopped until a request. */
async function stopIdleSandboxes(control: Control, records: InstanceRecord[]): Promise<void> {
  const idle = records.filter((record) => isIdle(control, record));
  await Promise.all(
    idle.map(({ id, name }) =>
      stopIdle(control, id, (record) => isIdle(control, record)).catch((error: unknown) => {
        control.log.warn(`${name}: idle stop failed: ${summaryOf(error)}`);
      }),
    ),
  );
}

function isIdle({ engine, supervisor, activity }: Control, { id, applied }: InstanceRecord): boolean {
  const limit = (applied?.lifecycle.idleSeconds ?? 0) * 1000;
  if (limit === 0) return false;
  const { vm, sessions, portUsage } = engine.status(id);
  if (vm === undefined) return false;
  // A short connection may have come and gone since the last check.
  const connected = portUsage.open > 0 || Date.now() - (portUsage.usedAt ?? 0) <= CHECK_EVERY_MS;
  // Session count unknown: assume one is running.
  const inUse = (sessions?.running ?? 1) > 0 || connected || supervisor.busy(id);
  return activity.idleFor(id, `${vm.pid} ${vm.startTime}`, inUse) >= limit;
}
