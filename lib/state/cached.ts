/** The result of a slow read, kept for callers that accept the last one. */
export interface Cached<T> {
  /** Reads again */
  refresh: () => Promise<T>;
  /** The cached value; reads where there is none */
  get: () => Promise<T>;
}

/** Caches the last successful read. */
export function cached<T>(read: () => Promise<T>): Cached<T> {
  let last: T | undefined;
  const refresh = async () => {
    last = await read();
    return last;
  };
  return { refresh, get: async () => last ?? refresh() };
}
