/** Deadlines that hold. */

/** To be disposed of when nobody waits any more, which is no abort */
export type Deadline = AbortSignal & Disposable;

/**
 * A signal that aborts when `signal` does, or after `ms` with a TimeoutError. Not `AbortSignal.any` of an `AbortSignal.timeout`: nothing else
 * holds that one, so that it is collected, and what waits for it waits for ever (nodejs/node#57736).
 */
export function within(ms: number, signal?: AbortSignal): Deadline {
  const controller = new AbortController();
  const onAbort = () => end(signal?.reason);
  const timer = setTimeout(() => end(new DOMException(`it took longer than ${ms} ms`, 'TimeoutError')), ms);
  // Nobody's process goes on for a deadline alone.
  timer.unref();
  const dispose = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
  const end = (reason: unknown) => {
    dispose();
    controller.abort(reason);
  };
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return Object.assign(controller.signal, { [Symbol.dispose]: dispose });
}

/** Rejects with the signal's reason when it aborts, whatever becomes of the work. */
export async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
