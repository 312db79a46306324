/** The way into a sandbox, against the daemon's own server; and against answers that no daemon should give. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DaemonService } from '../../../lib/api/contract.ts';
import { openGuest, type WantedGuest } from '../../../lib/api/guest-upgrade.ts';
import { serve } from '../../../lib/daemon/server.ts';
import { SbxError } from '../../../lib/errors.ts';
import { type Home, homeOf } from '../../../lib/paths.ts';

let dir: string;
let home: Home;
const closing: (() => PromiseLike<unknown>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-g-'));
  home = homeOf({ SBX_HOME: dir });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(dir, { recursive: true, force: true });
});

const place = { id: '4b87e5e730b7', name: 'shop', workspace: '/tmp/ünïcode dir/%41\r\nx: y' };

/** The real server; its service knows one sandbox, whose guest says what it hears. */
async function daemon(asked: WantedGuest[] = []): Promise<void> {
  const service = {
    build: 'mine',
    async guest(wanted: WantedGuest) {
      asked.push(wanted);
      if ('name' in wanted && wanted.name === 'none')
        throw new SbxError('not-found', 'there is no sandbox "none"', { hint: 'look' });
      return { place, serve: async (socket: import('node:stream').Duplex) => void socket.pipe(socket) };
    },
  } as unknown as DaemonService;
  const server = await serve(home, service);
  closing.push(() => server[Symbol.asyncDispose]());
}

/** Something else that listens where the daemon should. */
async function impostor(talk: (socket: Socket) => void): Promise<string> {
  const path = join(dir, 'other');
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.resume();
    talk(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return path;
}

async function heard(socket: import('node:stream').Duplex, length: number): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (text.length >= length) break;
  }
  return text;
}

const here = () => ({ socketPath: home.daemon.socket });

describe('the daemon', () => {
  test('is asked by folder and name, whatever they hold, and says which sandbox it is', async () => {
    const asked: WantedGuest[] = [];
    await daemon(asked);
    const wanted = { cwd: '/tmp/a b?&name=x#\n/ü', name: 'shop/re view&cwd=/' };
    const guest = await openGuest(here(), wanted);
    closing.push(async () => guest.socket.destroy());
    expect(asked).toEqual([wanted]);
    expect(guest.place).toEqual(place);
    guest.socket.resume();
    guest.socket.write('ping');
    expect(await heard(guest.socket, 4)).toBe('ping');
  });

  test('is asked without a name, or by the number of an instance', async () => {
    const asked: WantedGuest[] = [];
    await daemon(asked);
    for (const wanted of [{ cwd: '/x', name: undefined }, { id: '4b87e5e730b7' }])
      (await openGuest(here(), wanted)).socket.destroy();
    expect(asked).toEqual([{ cwd: '/x', name: undefined }, { id: '4b87e5e730b7' }]);
  });

  test('refuses in its own words', async () => {
    await daemon();
    await expect(openGuest(here(), { cwd: '/x', name: 'none' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'there is no sandbox "none"',
      hint: 'look',
    });
  });

  test('of another build is replaced first, and then asked again', async () => {
    const asked: WantedGuest[] = [];
    await daemon(asked);
    const revival = {
      build: 'another',
      revive: async () => 'mine',
    };
    const guest = await openGuest({ ...here(), revival }, { cwd: '/x', name: undefined });
    guest.socket.destroy();
    expect(asked).toHaveLength(1);
  });

  test('that is not there is started, and then asked', async () => {
    const revive = async () => {
      await daemon();
      return 'mine';
    };
    const revival = { build: 'mine', revive };
    const guest = await openGuest({ ...here(), revival }, { cwd: '/x', name: undefined });
    guest.socket.destroy();
    expect(guest.place).toEqual(place);
  });

  test('that is not there, and nothing starts it: an error that says so', async () => {
    await expect(openGuest(here(), { id: 'x' })).rejects.toMatchObject({ code: 'daemon-unreachable' });
  });
});

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sbx-guest\r\n';
const upgraded = `${SWITCHED}sbx-sandbox: ${encodeURIComponent(JSON.stringify(place))}\r\n\r\n`;

describe('an answer', () => {
  test('that comes byte by byte, with the first of the guest behind it, is whole', async () => {
    const socketPath = await impostor(async (socket) => {
      for (const byte of `${upgraded}first`) {
        socket.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const guest = await openGuest({ socketPath }, { id: 'x' });
    guest.socket.resume();
    expect(guest.place).toEqual(place);
    expect(await heard(guest.socket, 5)).toBe('first');
  });

  test('that comes in one piece with the first of the guest loses nothing of it', async () => {
    const socketPath = await impostor((socket) => socket.write(`${upgraded}first`));
    const guest = await openGuest({ socketPath }, { id: 'x' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    guest.socket.resume();
    expect(await heard(guest.socket, 5)).toBe('first');
  });

  test.each([
    ['ends at once', (socket: Socket) => socket.end()],
    ['ends within its head', (socket: Socket) => socket.end('HTTP/1.1 101 Swi')],
    ['never ends', (socket: Socket) => socket.write('x'.repeat(100_000))],
    ['names no sandbox', (socket: Socket) => socket.write(`${SWITCHED}\r\n`)],
    ['names what is no JSON', (socket: Socket) => socket.write(`${SWITCHED}sbx-sandbox: %7B\r\n\r\n`)],
    ['names what cannot be decoded', (socket: Socket) => socket.write(`${SWITCHED}sbx-sandbox: %E0%A4%A\r\n\r\n`)],
  ])('that %s is an error, and the connection is closed', async (_what, talk) => {
    const closed: Promise<void>[] = [];
    const socketPath = await impostor((socket) => {
      closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
      talk(socket);
    });
    await expect(openGuest({ socketPath }, { id: 'x' })).rejects.toMatchObject({ code: 'daemon-unreachable' });
    await Promise.all(closed);
  });

  test('that refuses without a reason is an error all the same', async () => {
    const socketPath = await impostor((socket) => socket.end('HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\nno json'));
    await expect(openGuest({ socketPath }, { id: 'x' })).rejects.toMatchObject({ code: 'daemon-unreachable' });
  });
});
