/** Requests of one project: one at a time, in order, except for those that join. */
import { expect, test } from 'vitest';
import { createProjectMutex } from '../../../../lib/daemon/control/project-mutex.ts';
import { SbxError } from '../../../../lib/errors.ts';

function rig() {
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const mutex = createProjectMutex(() => void log.push('idle'));
  const work = (name: string) => () => {
    log.push(`${name} begins`);
    return new Promise<void>((resolve) => {
      ends.set(name, () => {
        log.push(`${name} ends`);
        resolve();
      });
    });
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { log, mutex, work, end };
}

test('one after the other, in order, also after one that failed; other projects at once', async () => {
  const { log, mutex, work, end } = rig();
  const failed = mutex.take('/a', () => Promise.reject(new Error('no')));
  const all = [mutex.take('/a', work('1')), mutex.take('/a', work('2'), { onWait: () => void log.push('2 waits') })];
  await expect(failed).rejects.toThrow('no');
  all.push(mutex.take('/b', work('other')));
  expect([log, mutex.busy()]).toEqual([
    ['2 waits', '1 begins', 'other begins'],
    ['/a', '/b'],
  ]);
  for (const name of ['1', 'other', '2']) await end(name);
  await Promise.all(all);
  expect(log.slice(3)).toEqual(['1 ends', '2 begins', 'other ends', '2 ends', 'idle']);
  expect(mutex.busy()).toEqual([]);
});

test('one that joins runs at once, and the next waits for both', async () => {
  const { log, mutex, work, end } = rig();
  const all = [mutex.take('/a', work('1')), mutex.take('/a', work('2')), mutex.join('/a', work('joined'))];
  expect(log).toEqual(['1 begins', 'joined begins']);
  await end('1');
  expect(log).not.toContain('2 begins');
  await end('joined');
  expect(log).toContain('2 begins');
  await end('2');
  await Promise.all(all);
  expect(log.at(-1)).toBe('idle');
});

test('nothing is done of one that was cancelled while it waited, and the next has its turn', async () => {
  const { log, mutex, work, end } = rig();
  const abort = new AbortController();
  const first = mutex.take('/a', work('1'));
  const cancelled = mutex.take('/a', work('2'), { signal: abort.signal });
  const third = mutex.take('/a', work('3'));
  const reason = new SbxError('cancelled', 'the client disconnected');
  abort.abort(reason);
  const refused = expect(cancelled).rejects.toBe(reason);
  await end('1');
  await refused;
  await end('3');
  await Promise.all([first, third]);
  expect(log).toEqual(['1 begins', '1 ends', '3 begins', '3 ends', 'idle']);
});
