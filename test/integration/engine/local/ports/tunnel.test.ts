/** Connections to a listened port reach services of the guest as they are: all bytes, both ends, nothing left. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer as createHttpServer, get } from 'node:http';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { errnoOf } from '../../../../../lib/errors.ts';
import { deferred } from '../../../../../lib/guest/protocol/deferred.ts';
import { useAgent } from '../../../guest/agent/agent-rig.ts';
import { descriptors, dial, endOf, ID, portsRig, service, until } from './rig.ts';

const rig = useAgent();
const MIB = 1024 ** 2;
const BIG = 64 * MIB;

test('HTTP, on both loopbacks of the host', async () => {
  const server = createHttpServer((request, answer) => answer.end(`hello ${request.url}`));
  await using inside = await service(() => {}, { server });
  using r = portsRig(() => rig.guest);
  const port = await r.open(inside.port);
  for (const host of ['127.0.0.1', '[::1]', 'localhost'])
    expect(await (await fetch(`http://${host}:${port}/a`)).text()).toBe('hello /a');
});

test('a service that listens on ::1 only', async () => {
  await using inside = await service((socket) => socket.end('six'), { host: '::1' });
  using r = portsRig(() => rig.guest);
  expect(await text(await dial(await r.open(inside.port)))).toBe('six');
});

test('an upgrade to another protocol keeps the connection, for both sides', async () => {
  const server = createHttpServer().on('upgrade', (_request, socket: Socket, head: Buffer) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    if (head.length > 0) socket.write(head);
    socket.pipe(socket);
  });
  await using inside = await service(() => {}, { server });
  using r = portsRig(() => rig.guest);
  const port = await r.open(inside.port);
  const headers = { connection: 'Upgrade', upgrade: 'websocket' };
  const socket = await new Promise<Socket>((resolve, reject) => {
    get({ host: '127.0.0.1', port, headers })
      .on('upgrade', (_answer, upgraded: Socket) => resolve(upgraded))
      .on('error', reject);
  });
  for (const word of ['one', 'two']) {
    socket.write(word);
    expect(String(await new Promise((resolve) => socket.once('data', resolve)))).toBe(word);
  }
  socket.destroy();
});

test('64 MiB in each direction at a time arrive whole', async () => {
  const block = randomBytes(MIB);
  const expected = createHash('sha256');
  for (let sent = 0; sent < BIG; sent += MIB) expected.update(block);
  const wanted = expected.digest('hex');
  const atService = deferred<string>();
  await using inside = await service((socket) => {
    void hashOf(socket).then(atService.resolve, atService.reject);
    void pour(socket, block);
  });
  using r = portsRig(() => rig.guest);
  const client = await dial(await r.open(inside.port));
  const atClient = hashOf(client);
  await pour(client, block);
  expect(await Promise.all([atClient, atService.promise])).toEqual([wanted, wanted]);
});

test('each side may end first, and the other one still speaks', async () => {
  await using counts = await service((socket) => {
    void text(socket).then((said) => socket.end(`${said.length} bytes`));
  });
  await using greets = await service((socket) => {
    socket.end('hello');
    void text(socket).then((said) => heard.resolve(said));
  });
  const heard = deferred<string>();
  using r = portsRig(() => rig.guest);
  const first = await dial(await r.open(counts.port));
  first.end('x'.repeat(100_000));
  expect(await text(first)).toBe('100000 bytes');
  const second = await dial(await r.open(greets.port));
  expect(await text(second)).toBe('hello');
  second.end('still here');
  expect(await heard.promise).toBe('still here');
});

test('10,000 short connections leave no descriptor and no stream', async () => {
  await using inside = await service((socket) => socket.once('data', () => socket.end('ok')));
  using r = portsRig(() => rig.guest);
  const port = await r.open(inside.port);
  const one = async () => {
    const socket = await dial(port);
    socket.end('?');
    return (await text(socket)) === 'ok';
  };
  await one();
  await until(() => r.ports.usage(ID).open === 0);
  const before = descriptors();
  let good = 0;
  for (let done = 0; done < 10_000; done += 50)
    good += (await Promise.all(Array.from({ length: 50 }, one))).filter(Boolean).length;
  expect(good).toBe(10_000);
  await until(() => r.ports.usage(ID).open === 0 && descriptors() <= before);
}, 240_000);

test('a service that is not there resets the client', async () => {
  const inside = await service(() => {});
  await inside[Symbol.asyncDispose]();
  using r = portsRig(() => rig.guest);
  const port = await r.open(inside.port);
  expect(await dial(port).then(endOf, errnoOf)).toBe('ECONNRESET');
  await until(() => r.ports.usage(ID).open === 0);
});

test('a client that is gone ends its connection inside, and a service that resets resets the client', async () => {
  const ended = deferred<string>();
  await using waits = await service((socket) => void endOf(socket).then(ended.resolve));
  await using resets = await service((socket) => socket.once('data', () => socket.resetAndDestroy()));
  using r = portsRig(() => rig.guest);
  const client = await dial(await r.open(waits.port));
  await until(() => r.ports.usage(ID).open === 1);
  client.resetAndDestroy();
  expect(await ended.promise).toMatch(/ECONNRESET|end/);
  const other = await dial(await r.open(resets.port));
  other.write('x');
  expect(await endOf(other)).toBe('ECONNRESET');
  await until(() => r.ports.usage(ID).open === 0);
});

test('more connections than the bound are reset at once, and others go on', async () => {
  await using inside = await service((socket) => socket.write('in'));
  using r = portsRig(() => rig.guest, { most: 2 });
  const port = await r.open(inside.port);
  const two = [await dial(port), await dial(port)];
  for (const socket of two) expect(String(await new Promise((done) => socket.once('data', done)))).toBe('in');
  expect(await dial(port).then(endOf, errnoOf)).toBe('ECONNRESET');
  // A mere end would leave the other direction open.
  two[0]?.resetAndDestroy();
  await until(() => r.ports.usage(ID).open === 1);
  const next = await dial(port);
  expect(String(await new Promise((done) => next.once('data', done)))).toBe('in');
  for (const socket of [...two, next]) socket.destroy();
});

async function hashOf(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  await readAll(socket, (chunk) => void hash.update(chunk));
  return hash.digest('hex');
}

async function text(socket: Socket): Promise<string> {
  let said = '';
  await readAll(socket, (chunk) => {
    said += String(chunk);
  });
  return said;
}

/** To the end of what the other side says. An iterator would destroy the socket then, with what is still to be written. */
function readAll(socket: Socket, onChunk: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('data', onChunk).once('end', resolve).once('error', reject);
  });
}

async function pour(socket: Socket, block: Buffer): Promise<void> {
  for (let sent = 0; sent < BIG; sent += block.length)
    if (!socket.write(block)) await new Promise((resolve) => socket.once('drain', resolve));
  socket.end();
}
