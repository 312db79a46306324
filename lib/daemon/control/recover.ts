/** What a daemon does first. */
import { readdirSync } from 'node:fs';
import { endPooled, isWaiting } from '../../engine/local/pool/pooled-clone.ts';
import type { HandlerDeps } from '../../engine/local/steps/step-deps.ts';
import { takeOver } from '../../engine/local/steps/steps.ts';
import { SbxError } from '../../errors.ts';
import { endAbandoned } from '../../image/bake/bake-paths.ts';
import { instancePaths } from '../../paths.ts';
import type { Supervisor } from '../../reconcile/supervisor.ts';

/** After any end of the daemon before: doors open again, half-removed instances go, everything is watched. */
export async function recover(deps: HandlerDeps, supervisor: Supervisor): Promise<void> {
  await endPool(deps);
  deps.records.sweep();
  // A daemon that cannot clean up is better than none.
  await endAbandoned(deps.image.store, deps.image.driver).catch((error: unknown) => {
    process.stderr.write(`what killed builds left could not be removed: ${error}\n`);
  });
  for (const record of deps.records.list()) {
    const vm = deps.driver.find(instancePaths(deps.home, record.id));
    if (vm !== undefined && record.applied !== null)
      await takeOver(deps, record.id, record.applied, vm).catch((error: unknown) =>
        endUnwatched(deps, record.id, error),
      );
    // What an unfinished apply left is finished by the next one: in the background only what was applied is kept.
    if (record.applied !== null) supervisor.watch(record.id, record.applied);
  }
}

/** What waited is nobody's, and was not watched since: new ones are made. */
async function endPool(deps: HandlerDeps): Promise<void> {
  await Promise.all(
    readdirSync(deps.home.instances)
      .filter(isWaiting)
      .map((id) => endPooled(deps, id)),
  );
}

/** Its mounts cannot be looked after: it must not run on. The supervisor starts it again where that is possible, and says why where it is not. */
async function endUnwatched(deps: HandlerDeps, id: string, error: unknown): Promise<void> {
  const why = error instanceof SbxError && error.why !== undefined ? ` (${error.why})` : '';
  process.stderr.write(
    `${id}: it could not be taken over and is ended: ${error instanceof Error ? error.message : error}${why}\n`,
  );
  await deps.egress.close(id);
  await deps.driver.destroy(instancePaths(deps.home, id));
}
