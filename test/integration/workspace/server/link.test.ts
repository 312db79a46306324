import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRelay } from '../../../../lib/workspace/server/link.ts';
import { serve } from '../../../../lib/workspace/server/session.ts';
import { openVolume } from '../../../../lib/workspace/server/tables/volume.ts';
import { frame, OP, pack, u32 } from './wire.ts';

const GREETING = 'sbx workspace 1\n';

let dir: string;
let path: string;
let server: Server;
let sockets: Socket[];
let controller: AbortController;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-link-'));
  path = join(dir, 'port');
  sockets = [];
  controller = new AbortController();
});
afterEach(async () => {
  controller.abort();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  rmSync(dir, { recursive: true, force: true });
});

/** Stands for QEMU: `serve` plays the relay behind its port, for each connection. */
function listen(serve: (socket: Socket, count: number) => void): Promise<void> {
  server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket, sockets.push(socket));
  });
  return new Promise((resolve) => server.listen(path, resolve));
}

const link = (greetingMs?: number) =>
  connectRelay(path, { signal: controller.signal, ...(greetingMs === undefined ? {} : { greetingMs }) });

async function firstBytes(socket: Socket, length: number): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString('latin1');
    if (text.length >= length) break;
  }
  return text;
}

describe('the link to a relay', () => {
  test('discards what belongs to the connection before, and delivers every byte after the greeting', async () => {
    await listen((socket) => void socket.write(`half a message${GREETING}first`));
    expect(await firstBytes(await link(), 5)).toBe('first');
  });

  test('finds a greeting that arrives in pieces, behind more than a read of other bytes', async () => {
    await listen(async (socket) => {
      socket.write(Buffer.alloc(300_000, 'sbx work'));
      for (const byte of GREETING) {
        socket.write(byte);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      socket.write('first');
    });
    expect(await firstBytes(await link(), 5)).toBe('first');
  });

  test('waits for the socket and for the relay behind it', async () => {
    const linked = link();
    await listen((socket) => void setTimeout(() => socket.write(`${GREETING}late`), 100));
    expect(await firstBytes(await linked, 4)).toBe('late');
  });

  test('connects again to a relay that has not noticed the end of the connection before', async () => {
    await listen((socket, count) => {
      if (count === 3) socket.write(`${GREETING}third`);
    });
    expect(await firstBytes(await link(20), 5)).toBe('third');
  });

  test('gives a guest up that sends bytes without a greeting, and tries again', async () => {
    await listen((socket, count) => {
      if (count === 1) socket.write(Buffer.alloc(5 << 20, 'x'));
      else socket.write(`${GREETING}again`);
    });
    expect(await firstBytes(await link(), 5)).toBe('again');
    expect(sockets).toHaveLength(2);
  });

  test('carries a session from its first request on', async () => {
    const init = frame({ opcode: OP.INIT, unique: 1, node: 0 }, pack(u32(7), u32(31), u32(131_072), u32(0)));
    await listen((socket) => void socket.write(Buffer.concat([Buffer.from(GREETING), init])));
    const socket = await link();
    using volume = openVolume([{ name: '', path: dir }]);
    const quiet = () => {};
    using session = serve(socket, volume, { log: { info: quiet, warn: quiet, error: quiet } });
    const answer = new Promise<Buffer>((resolve) => sockets[0]?.once('data', resolve));
    expect((await answer).readBigUInt64LE(8)).toBe(1n);
    expect((await answer).readInt32LE(4)).toBe(0);
    sockets[0]?.destroy();
    await session.closed;
  });

  test('follows no link that stands in place of the socket', async () => {
    await listen((socket) => void socket.write(`${GREETING}secret`));
    symlinkSync(path, join(dir, 'link'));
    const linked = connectRelay(join(dir, 'link'), { signal: controller.signal });
    await expect(Promise.race([linked, link(20).then(() => 'the socket itself')])).resolves.toBe('the socket itself');
    expect(sockets).toHaveLength(1);
    controller.abort();
    await expect(linked).rejects.toThrow(/abort/i);
  });

  test('ends with its signal, connected or not', async () => {
    const unconnected = link();
    controller.abort();
    await expect(unconnected).rejects.toThrow(/abort/i);
    controller = new AbortController();
    await listen(() => {});
    const silent = link();
    while (sockets.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await expect(silent).rejects.toThrow(/abort/i);
  });
});
