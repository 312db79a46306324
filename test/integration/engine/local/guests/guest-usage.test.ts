/** What a guest says of what it uses, against guests that the test plays: silent, slow, absurd, of an earlier build. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GuestUsages } from '../../../../../lib/engine/local/guests/guest-usage.ts';
import { GuestConnection } from '../../../../../lib/guest/client/connection.ts';
import { DISCARD, type MuxStream } from '../../../../../lib/guest/protocol/mux.ts';
import { pipeOf } from '../../../../../lib/guest/protocol/pipe.ts';
import { createSession } from '../../../../../lib/guest/protocol/server-session.ts';

const USAGE = {
  cpuMs: 1,
  memoryUsedBytes: 2,
  memoryBytes: 3,
  diskUsedBytes: 4,
  diskBytes: 5,
  processes: 6,
};

let dir: string;
let server: Server;
let guest: GuestConnection;
let port: Socket | undefined;
/** What the guest does with a question */
let play: (stream: MuxStream) => void;
let asked: number;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-usage-'));
  asked = 0;
  server = createServer((socket) => {
    port = socket.on('error', () => {});
    const session = createSession(pipeOf(socket), (stream, service) => {
      expect(service).toBe('usage');
      asked += 1;
      play(stream);
      return DISCARD;
    });
    socket.on('data', (chunk) => session.push(chunk));
  });
  const path = join(dir, 'agent');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  guest = await GuestConnection.connect(path);
});
afterEach(async () => {
  await guest[Symbol.asyncDispose]();
  port?.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

test('is passed on', async () => {
  play = (stream) => stream.close(USAGE);
  expect(await new GuestUsages().of(guest)).toEqual(USAGE);
});

test.each([
  ['no object', null],
  ['a text', 'much'],
  ['a text as a number', { ...USAGE, cpuMs: '\x1b[2J' }],
  ['a negative number', { ...USAGE, processes: -1 }],
  ['a fraction', { ...USAGE, processes: 1.5 }],
  ['more than a number can count', { ...USAGE, cpuMs: 1e300 }],
  ['a missing figure', { ...USAGE, processes: undefined }],
  ['more figures, which nothing reads', { ...USAGE, more: 'x'.repeat(10_000) }],
  ['more memory than there is', { ...USAGE, memoryUsedBytes: 4 }],
  ['a fuller disk than there is', { ...USAGE, diskUsedBytes: 6 }],
])('that makes no sense is not: %s', async (_what, said) => {
  play = (stream) => stream.close(said as never);
  expect(await new GuestUsages().of(guest)).toBe(undefined);
});

test('a guest of an earlier build has none', async () => {
  play = (stream) => stream.reset('no such service: usage');
  expect(await new GuestUsages().of(guest)).toBe(undefined);
});

test('a silent guest is asked one question, and waited for no longer than that; its late answer counts', async () => {
  let late: MuxStream | undefined;
  play = (stream) => {
    late = stream;
  };
  const usages = new GuestUsages(20);
  expect(await usages.of(guest)).toBe(undefined);
  expect(await Promise.all([usages.of(guest), usages.of(guest)])).toEqual([undefined, undefined]);
  expect(asked).toBe(1);
  const patient = new GuestUsages();
  play = (stream) => stream.close(USAGE);
  late?.close(USAGE);
  expect(await patient.of(guest)).toEqual(USAGE);
  expect(await usages.of(guest)).toEqual(USAGE);
});

test('one whose connection ends has none', async () => {
  play = () => port?.destroy();
  expect(await new GuestUsages(60_000).of(guest)).toBe(undefined);
});
