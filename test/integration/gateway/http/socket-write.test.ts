import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endWith } from '../../../../lib/gateway/http/socket-write.ts';

const NOTHING = Buffer.alloc(0);
/** More than the kernel buffers of a Unix socket hold */
const LARGE = Buffer.alloc(1 << 20, 7);

let dir: string;
let server: ReturnType<typeof createServer>;
let near: Socket;
let far: Socket;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-end-'));
  const path = join(dir, 'socket');
  server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  far = connect({ path, allowHalfOpen: true });
  near = await accepted;
});
afterEach(async () => {
  near.destroy();
  far.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

/** Reads until the end, `pauseMs` after each chunk. */
async function readAll(socket: Socket, pauseMs = 0): Promise<number> {
  let bytes = 0;
  for await (const chunk of socket) {
    bytes += (chunk as Buffer).length;
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return bytes;
}

describe('the end of a socket', () => {
  test('keeps queued data when the socket is already ending', async () => {
    near.end(LARGE);
    expect(near.writableLength).toBeGreaterThan(0);
    endWith(near, NOTHING);
    expect(await readAll(far)).toBe(LARGE.length);
  });

  test('waits for a slow reader without a limit', async () => {
    for (let at = 0; at < LARGE.length; at += 4_096) near.write(LARGE.subarray(at, at + 4_096));
    endWith(near, Buffer.from('bye'), 100);
    const started = performance.now();
    expect(await readAll(far, 20)).toBe(LARGE.length + 3);
    expect(performance.now() - started).toBeGreaterThan(300);
  });

  test('does not wait for a reader that has stopped reading', async () => {
    near.write(LARGE);
    const closed = new Promise((resolve) => near.once('close', resolve));
    endWith(near, NOTHING, 20);
    await closed;
    expect(near.writableFinished).toBe(false);
  });

  test('does not wait for a peer that has received everything and keeps sending', async () => {
    const closed = new Promise((resolve) => near.once('close', resolve));
    endWith(near, Buffer.from('bye'), 20);
    const flood = setInterval(() => far.write('x'), 1);
    far.on('error', () => {}).resume();
    await closed;
    clearInterval(flood);
    expect(near.writableFinished).toBe(true);
  });
});
