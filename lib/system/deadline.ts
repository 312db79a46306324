/** Deadlines that are not lost to garbage collection. */

/** Must be disposed when no caller waits any more; disposing does not abort */
export type Deadline = AbortSignal & Disposable;

/**
 * A signal that aborts when `signal` does, or after `ms` with a TimeoutError. Not `AbortSignal.any` of an `AbortSignal.timeout`: no other
 * reference holds that one, so it is collected, and the wait never ends (nodejs/node#57736).
 */
export function within(ms: number, signal?: AbortSignal): Deadline {
  const controller = new AbortController();
  const onAbort = () => end(signal?.reason);
  const timer = setTimeout(() => end(new DOMException(`it took longer than ${ms} ms`, 'TimeoutError')), ms);
  // A deadline alone does not keep the process alive.
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

/** Rejects with the signal's reason when it aborts, without waiting for the work. */
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
