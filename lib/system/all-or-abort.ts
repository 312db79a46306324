/**
 * Runs tasks concurrently under one signal. When one fails, the signal aborts and the others are awaited, so that none continues after the
 * failure of another.
 * @throws the failure that came first
 */
export async function allOrAbort<T extends readonly unknown[]>(
  outer: AbortSignal | undefined,
  start: (signal: AbortSignal) => { [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(outer === undefined ? [] : [outer])]);
  const tasks = start(signal).map((task: Promise<unknown>) =>
    task.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(tasks);
  if (failed.signal.aborted) throw failed.signal.reason;
  return (await Promise.all(tasks)) as unknown as T;
}
