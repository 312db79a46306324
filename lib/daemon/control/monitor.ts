/** Periodic checks for changes that raise no event: a VM that died, an idle sandbox, a clock that fell behind, a full disk. */
import type { Control } from './control.ts';
import { stopIdleSandboxes } from './stop-idle.ts';

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
