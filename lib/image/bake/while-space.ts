/** Fails work in a VM that waits for disk space on the host, where it would wait for ever. */
import { noSpace } from '../../vm/boot-supervisor.ts';
import type { VmDriver, VmPaths } from '../../vm/driver.ts';

const LOOK_MS = 2_000;

/** @throws SbxError `no-space`, and `full` is aborted, as soon as the VM waits for space. */
export async function whileSpace(
  driver: VmDriver,
  paths: VmPaths,
  work: (full: AbortSignal) => Promise<void>,
): Promise<void> {
  const full = new AbortController();
  let rejectFull = (_: unknown) => {};
  const waits = new Promise<never>((_, reject) => {
    rejectFull = reject;
  });
  const timer = setInterval(async () => {
    if ((await driver.health(paths)) !== 'disk-full') return;
    const error = noSpace();
    rejectFull(error);
    full.abort(error);
  }, LOOK_MS);
  try {
    await Promise.race([work(full.signal), waits]);
  } finally {
    clearInterval(timer);
  }
}
