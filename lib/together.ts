/** Several works at once, of which none goes on behind the failure of another. @throws the failure of the first in the list that failed. */
export async function together<T extends readonly unknown[]>(
  works: {
    [K in keyof T]: Promise<T[K]>;
  },
): Promise<T> {
  await Promise.allSettled(works);
  return (await Promise.all(works)) as unknown as T;
}
