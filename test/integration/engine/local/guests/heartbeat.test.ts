/** The heartbeat of a sandbox, against a guest that the test plays: silent, rubbish, half a frame. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Guests } from '../../../../../lib/engine/local/guests/connections.ts';
import { DISCARD, type MuxStream } from '../../../../../lib/guest/protocol/mux.ts';
import { pipeOf } from '../../../../../lib/guest/protocol/pipe.ts';
import { createSession } from '../../../../../lib/guest/protocol/server-session.ts';
import { encodeData } from '../../../../../lib/guest/protocol/wire.ts';

const ID = 'one';
const OPTIONS = { fresh: true, timeoutMs: 20_000 };

let dir: string;
let server: Server;
let guests: Guests;
/** Questions that the guest has not answered yet */
let asked: MuxStream[];
/** What the guest answers to a question at once; undefined: nothing */
let answer: unknown;
let port: Socket | undefined;
const closed = vi.fn<(id: string) => void>();
const path = () => join(dir, 'agent');
const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 60_000, interval: 5 });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-heart-'));
  asked = [];
  answer = { ok: true };
  closed.mockClear();
  guests = new Guests(closed, { everyMs: 10, patienceMs: 50 });
  server = createServer((socket) => {
    port = socket.on('error', () => {});
    const session = createSession(pipeOf(socket), (stream) => {
      if (answer === undefined) asked.push(stream);
      else stream.close(answer);
      return DISCARD;
    });
    socket.on('data', (chunk) => session.push(chunk));
  });
  await new Promise<void>((resolve) => server.listen(path(), resolve));
});
afterEach(async () => {
  await guests[Symbol.asyncDispose]();
  port?.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

test('a guest that answers is ready', async () => {
  await guests.connect(ID, path(), OPTIONS);
  expect(guests.answers(ID)).toBe(true);
  expect(guests.answers('another')).toBe(false);
});

test('one that falls silent is not, until it answers; it is asked one question at a time', async () => {
  await guests.connect(ID, path(), OPTIONS);
  answer = undefined;
  await until(() => !guests.answers(ID));
  expect(asked.length).toBe(1);
  answer = { ok: true };
  asked[0]?.close({ ok: true });
  await until(() => guests.answers(ID));
  expect(closed).not.toHaveBeenCalled();
});

test('one that was never heard is not ready, and says so to who connects', async () => {
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    port = socket.on('error', () => {}).resume();
  });
  await expect(guests.connect(ID, path(), { ...OPTIONS, timeoutMs: 100 })).rejects.toMatchObject({
    code: 'guest-failed',
  });
  expect(guests.answers(ID)).toBe(false);
});

describe('a guest that breaks the protocol is not ready', () => {
  const half = encodeData(1, 1, Buffer.alloc(1000)).subarray(0, 500);
  test.each([
    ['rubbish', randomBytes(100_000)],
    ['zeros', Buffer.alloc(100_000)],
    ['half a frame', half],
  ])('%s', async (_what, bytes) => {
    await guests.connect(ID, path(), OPTIONS);
    answer = undefined;
    port?.write(bytes);
    await until(() => !guests.answers(ID));
  });

  test('an answer that is no JSON ends the connection, and the sandbox is observed again', async () => {
    await guests.connect(ID, path(), OPTIONS);
    answer = undefined;
    await until(() => asked.length > 0);
    const frame = Buffer.from(`\0\0\0\x01\0\0\0\0\x01{`, 'latin1');
    frame[4] = 7;
    for (let type = 2; type < 10; type += 1) {
      frame[4] = type;
      port?.write(frame);
    }
    await until(() => closed.mock.calls.length > 0);
    expect(closed).toHaveBeenCalledWith(ID);
    expect(guests.answers(ID)).toBe(false);
  });
});

describe('what a guest says of its memory', () => {
  test('is kept', async () => {
    answer = { ok: true, outOfMemory: { kills: 2, at: '2026-01-01T00:00:00.000Z' } };
    await guests.connect(ID, path(), OPTIONS);
    await until(() => guests.outOfMemory(ID) !== undefined);
    expect(guests.outOfMemory(ID)).toEqual({ kills: 2, at: '2026-01-01T00:00:00.000Z' });
  });

  test.each([
    null,
    'much',
    { kills: -1, at: '2026-01-01' },
    { kills: 1e99, at: '2026-01-01' },
    { kills: 1, at: 'never' },
    { kills: 1, at: 7 },
    { kills: '1', at: '2026-01-01' },
  ])('is ignored when it makes no sense: %j', async (outOfMemory) => {
    let answered = 0;
    answer = {
      get ok() {
        answered += 1;
        return true;
      },
      outOfMemory,
    };
    await guests.connect(ID, path(), OPTIONS);
    await until(() => answered > 1);
    expect(guests.outOfMemory(ID)).toBe(undefined);
    expect(guests.answers(ID)).toBe(true);
  });
});
