/** A reading that takes its time: anew for whom it must be true, as it was read last for who is in a hurry. */
export interface LastKnown<T> {
  read: () => Promise<T>;
  known: () => Promise<T>;
}

/** What failed is not kept. */
export function lastKnown<T>(look: () => Promise<T>): LastKnown<T> {
  let last: T | undefined;
  const read = async () => {
    last = await look();
    return last;
  };
  return { read, known: async () => last ?? read() };
}
