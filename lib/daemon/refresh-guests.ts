/** What a secret that was set or removed changes inside. */
import type { HandlerDeps } from './handler-deps.ts';
import { configureGuest } from './settle.ts';

/** A variable whose secret was set or removed comes and goes for the next command inside. */
export async function refreshGuests(deps: HandlerDeps, secret: string): Promise<void> {
  const users = deps.records.list().flatMap(({ id, applied }) => {
    const uses = applied?.credentials.some((one) => one.secret === secret) === true;
    return uses && applied !== null ? [{ id, spec: applied }] : [];
  });
  // A guest that does not answer gets it when it is resumed.
  await Promise.allSettled(users.map(({ id, spec }) => configureGuest(deps, id, spec)));
}
