import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { orAbort, within } from '../../../lib/system/deadline.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Resolves when the signal's listener is called; nothing but the listener knows of the signal. */
const fired = (make: () => AbortSignal) =>
  new Promise<unknown>((resolve) => {
    const signal = make();
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });

async function collectFor(ms: number): Promise<void> {
  for (const until = Date.now() + ms; Date.now() < until; await sleep(10)) collect();
}

describe('a deadline', () => {
  test('survives garbage collection, which one of AbortSignal.any does not', async () => {
    const client = new AbortController();
    let kept = 0;
    let forgotten = 0;
    for (let index = 0; index < 20; index += 1) {
      void fired(() => within(100, client.signal)).then(() => {
        kept += 1;
      });
      void fired(() => AbortSignal.any([client.signal, AbortSignal.timeout(100)])).then(() => {
        forgotten += 1;
      });
    }
    await collectFor(300);
    expect(kept).toBe(20);
    // Where Node has fixed it, `within` may become one line.
    if (process.versions.node.startsWith('20.')) expect(forgotten).toBeLessThan(20);
  });

  test('that is disposed holds nothing, and aborts nothing', async () => {
    const client = new AbortController();
    const before = getEventListeners(client.signal, 'abort').length;
    for (let index = 0; index < 50; index += 1) {
      using signal = within(5, client.signal);
      expect(signal.aborted).toBe(false);
    }
    expect(getEventListeners(client.signal, 'abort').length).toBe(before);
    let aborted = false;
    {
      using signal = within(5);
      signal.addEventListener('abort', () => {
        aborted = true;
      });
    }
    await sleep(30);
    expect(aborted).toBe(false);
  });

  test('is a TimeoutError, or the reason of the signal that came first', async () => {
    expect(await fired(() => within(5))).toMatchObject({ name: 'TimeoutError' });
    const client = new AbortController();
    const signal = within(60_000, client.signal);
    client.abort(new Error('gone'));
    expect(signal.reason).toEqual(new Error('gone'));
    expect(within(60_000, client.signal).reason).toEqual(new Error('gone'));
  });
});

describe('work that may never end', () => {
  test('is abandoned when the signal aborts, before or meanwhile', async () => {
    const never = new Promise<never>(() => {});
    await expect(orAbort(never, within(5))).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(orAbort(never, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  });

  test('that ends in time returns its result', async () => {
    const signal = within(60_000);
    expect(await orAbort(Promise.resolve(7), signal)).toBe(7);
    await expect(orAbort(Promise.reject(new Error('its own')), signal)).rejects.toThrow('its own');
  });
});
