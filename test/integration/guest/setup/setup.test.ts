/** Tests the setup client against guests that answer, fail, disconnect, send garbage or do not answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runSetup } from '../../../../lib/guest/setup/client.ts';

let dir: string;
let path: string;
let server: Server;
let heard: string;
let clients: Socket[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-su-'));
  path = join(dir, 'setup');
  [heard, clients] = ['', []];
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

async function guest(onLine: (socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    clients.push(socket);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      heard += chunk;
      if (chunk.includes('\n')) onLine(socket);
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

const ask = (options: { last?: boolean; signal?: AbortSignal } = {}) =>
  runSetup(path, [{ op: 'sync' }, { op: 'host', name: 'a' }], {
    last: options.last ?? false,
    signal: options.signal ?? new AbortController().signal,
  });

test('sends one line and reads one answer, also in pieces', async () => {
  await guest((socket) => {
    socket.write('o');
    setImmediate(() => socket.write('k\n'));
  });
  await ask({ last: true });
  expect(heard).toBe('last;sync;host 61\n');
});

test('reports a trust store of Java', async () => {
  await guest((socket) => void socket.write('ok java\n'));
  expect(await ask()).toEqual({ java: true });
});

test('reports the failed operation as the reason', async () => {
  await guest((socket) => void socket.write('bind /x /y: Too many levels of symbolic links\n'));
  await expect(ask()).rejects.toMatchObject({ code: 'workspace', why: expect.stringContaining('bind /x /y') });
});

test('a guest that disconnects, sends garbage or does not answer is a clear error', async () => {
  await guest((socket) => void socket.end());
  await expect(ask()).rejects.toMatchObject({ code: 'guest-failed', why: 'the setup helper closed the connection' });
  await new Promise((resolve) => server.close(resolve));
  await guest((socket) => void socket.write('x'.repeat(10_000)));
  await expect(ask()).rejects.toMatchObject({ code: 'guest-failed', why: 'invalid answer of the setup helper' });
  clients.at(-1)?.destroy();
  await new Promise((resolve) => server.close(resolve));
  const abort = new AbortController();
  await guest(() => abort.abort());
  await expect(ask({ signal: abort.signal })).rejects.toMatchObject({ why: 'the setup helper did not answer in time' });
});

test('a missing socket is a clear error', async () => {
  await guest(() => {});
  await expect(
    runSetup(join(dir, 'missing'), [], { last: false, signal: new AbortController().signal }),
  ).rejects.toMatchObject({ code: 'guest-failed', why: expect.stringContaining('ENOENT') });
});
