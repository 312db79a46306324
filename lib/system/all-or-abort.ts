/**
 * Several works at once, under one signal: where one fails, it aborts for the others, which are waited for. So none goes on behind the failure
 * of another.
 * @throws the first failure, in time
 */
export async function allOrAbort<T extends readonly unknown[]>(
  outer: AbortSignal | undefined,
  begin: (signal: AbortSignal) => { [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(outer === undefined ? [] : [outer])]);
  const works = begin(signal).map((work: Promise<unknown>) =>
    work.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(works);
  if (failed.signal.aborted) throw failed.signal.reason;
  return (await Promise.all(works)) as unknown as T;
}
