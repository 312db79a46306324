/** Caches answers that depend on files of the host only, until one of the files changes. */
import { stat } from 'node:fs/promises';

/** `files`: also folders, whose change of entries counts. Concurrent callers share one question. */
export function memoByFiles<A extends unknown[], T>(
  files: string[],
  ask: (...args: A) => Promise<T>,
): (...args: A) => Promise<T> {
  const known = new Map<string, { stamp: string; answer: Promise<T> }>();
  return async (...args) => {
    const times = await Promise.all(
      files.map((file) =>
        stat(file).then(
          (found) => `${found.mtimeMs}:${found.size}`,
          () => '-',
        ),
      ),
    );
    const stamp = times.join(' ');
    const key = JSON.stringify(args);
    const hit = known.get(key);
    if (hit?.stamp === stamp) return hit.answer;
    const answer = ask(...args);
    known.set(key, { stamp, answer });
    answer.catch(() => known.delete(key));
    return answer;
  };
}
