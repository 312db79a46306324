/** Ends a workspace server that has served no guest for some time. */
import type { Request } from '../protocol/messages.ts';

/** How long a server without a guest waits for the next one */
const IDLE_MS = 30_000;

/** Requests that change which guests there are; the daemon asks for the status all the time. */
const CHANGES: ReadonlySet<Request['op']> = new Set(['attach', 'detach', 'suspend']);

/** @returns a function to be called after each request */
export function endWhenIdle(isIdle: () => boolean, end: () => void): (op: Request['op']) => void {
  const timer = setTimeout(() => isIdle() && end(), IDLE_MS);
  return (op) => {
    if (CHANGES.has(op) && isIdle()) timer.refresh();
  };
}
