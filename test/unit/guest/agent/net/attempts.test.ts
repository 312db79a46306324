import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createAttempts } from '../../../../../lib/guest/agent/net/attempts.ts';

const KEY = '198.18.0.1 443 40000';
const upstream = () => ({ socket: new Socket(), early: Buffer.alloc(0) });

describe('an attempt to connect', () => {
  test('whose packet comes again opens one upstream, which one connection takes', async () => {
    const attempts = createAttempts();
    let opened = 0;
    const open = async () => {
      opened += 1;
      return upstream();
    };
    expect(await Promise.all([attempts.decide(KEY, open), attempts.decide(KEY, open)])).toEqual(['accept', 'accept']);
    expect(await attempts.decide(KEY, open)).toBe('accept');
    expect(opened).toBe(1);
    expect(attempts.take(KEY)).toBeDefined();
    expect(attempts.take(KEY)).toBeUndefined();
  });

  test('is refused if nothing can be opened, and tried anew the next time', async () => {
    const attempts = createAttempts();
    expect(await attempts.decide(KEY, async () => undefined)).toBe('refuse');
    expect(attempts.take(KEY)).toBeUndefined();
    expect(await attempts.decide(KEY, async () => upstream())).toBe('accept');
  });

  test('that its program gave up leaves no upstream open', async () => {
    const attempts = createAttempts(1);
    const one = upstream();
    const closed = new Promise((resolve) => one.socket.once('close', resolve));
    await attempts.decide(KEY, async () => one);
    await closed;
    expect(attempts.take(KEY)).toBeUndefined();
  });

  test('that its program gave up is cancelled, and does not answer for the next one with its key', async () => {
    const attempts = createAttempts();
    const late = upstream();
    const first = attempts.decide(
      KEY,
      (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(late))),
    );
    attempts.forget(KEY);
    const second = attempts.decide(KEY, async () => upstream());
    expect([await first, await second]).toEqual([undefined, 'accept']);
    expect(late.socket.destroyed).toBe(true);
    // Nothing is known of it any more.
    attempts.forget('198.18.0.1 443 1');
    attempts.forget(KEY);
    expect(attempts.take(KEY)?.socket.destroyed).toBe(false);
  });
});
