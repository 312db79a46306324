import { describe, expect, test } from 'vitest';
import { listen } from '../../../../lib/guest/agent/port.ts';

/** Plays reads, one after the other: text, or nothing. After the last one a read never ends, as of a device. */
function play(reads: string[]): Promise<string[]> {
  const heard: string[] = [];
  return new Promise((resolve) => {
    listen(
      (buffer, done) => {
        const next = reads.shift();
        if (next === undefined) return resolve(heard);
        setImmediate(() => done(null, buffer.write(next)));
      },
      { onData: (chunk) => heard.push(chunk.toString()), onHostGone: () => heard.push('gone') },
    );
  });
}

const nothing = (times: number) => Array<string>(times).fill('');

describe('the port of the guest', () => {
  test('passes on the bytes that it reads', async () => {
    expect(await play(['a', 'b'])).toEqual(['a', 'b']);
  });

  test('does not take the late disconnect of an earlier host for one of this host', async () => {
    expect(await play(['hello', '', 'open', '', '', 'data'])).toEqual(['hello', 'open', 'data']);
  });

  test('reports a disconnect of the host once, and again for the next host', async () => {
    expect(await play(['hello', ...nothing(25), 'hello again', ...nothing(12)])).toEqual([
      'hello',
      'gone',
      'hello again',
      'gone',
    ]);
  });

  test('reports a host that never connects only once', async () => {
    expect(await play([...nothing(15), 'hello'])).toEqual(['gone', 'hello']);
  });
});
