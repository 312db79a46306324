/** A guest whose server is lost and comes back: a Unix socket stands for QEMU's, the test for the relay and the kernel behind it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ServedGuest } from '../../../../lib/workspace/server/served-guest.ts';
import { openVolume, type Volume } from '../../../../lib/workspace/server/tables/volume.ts';
import { frame, name, OP, pack, readEntry, u32, u64 } from './wire.ts';

const [ENOENT, EIO, EBADF, ESTALE] = [2, 5, 9, 116];
const [PAUSE, PAUSED] = [0x70617573, 0x53425803];
const quiet = () => {};
const log = { info: quiet, warn: quiet, error: quiet };

let dir: string;
let server: Server;
let arrivals: Socket[];
let sockets: Socket[];
let guests: ServedGuest[];
let volume: Volume;
let unique: number;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-served-'));
  for (const root of ['project', 'data']) mkdirSync(join(dir, root));
  writeFileSync(join(dir, 'project', 'file'), 'content');
  volume = openVolume(['project', 'data'].map((root) => ({ name: root, path: join(dir, root) })));
  arrivals = [];
  sockets = [];
  guests = [];
  unique = 1;
  server = createServer((socket) => {
    socket.on('error', quiet).pause();
    arrivals.push(socket);
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(join(dir, 'port'), resolve));
});
afterEach(async () => {
  for (const guest of guests) await guest[Symbol.asyncDispose]();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  volume[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

function newServer(): ServedGuest {
  const guest = new ServedGuest(volume, { link: join(dir, 'port'), stateFile: join(dir, 'state'), log });
  guests.push(guest);
  return guest;
}

/** The relay's greeting on the next connection */
async function greet(): Promise<Socket> {
  while (arrivals.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const socket = arrivals.shift() as Socket;
  socket.write('sbx workspace 1\n');
  return socket;
}

async function ask(socket: Socket, opcode: number, node: number, body: Buffer = Buffer.alloc(0)) {
  socket.write(frame({ opcode, unique: unique++, node }, body));
  let reply = Buffer.alloc(0);
  while (reply.length < 16 || reply.length < reply.readUInt32LE(0)) {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) reply = Buffer.concat([reply, chunk]);
    else if (socket.destroyed || socket.readableEnded) throw new Error('the connection has ended');
    else await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return { errno: Math.abs(reply.readInt32LE(4)), body: reply.subarray(16) };
}

const INIT = pack(u32(7), u32(31), u32(131_072), u32(0));
const lookup = (socket: Socket, parent: number, text: string) => ask(socket, OP.LOOKUP, parent, name(text));
const entry = async (socket: Socket, parent: number, text: string) =>
  readEntry((await lookup(socket, parent, text)).body);

describe('a guest whose server is lost', () => {
  test('is served by the next one without mounting again; roots keep their ids, other ids are never given twice', async () => {
    const first = newServer();
    const before = await greet();
    expect((await ask(before, OP.INIT, 0, INIT)).errno).toBe(0);
    const project = await entry(before, 1, 'project');
    const file = await entry(before, project.node, 'file');
    const opened = await ask(before, OP.OPEN, file.node, pack(u32(0), u32(0)));
    const handle = opened.body.readBigUInt64LE(0);
    expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o600);
    // Nothing of the first one's tables reaches the second but its file.
    await first[Symbol.asyncDispose]();

    await using _second = newServer();
    const after = await greet();
    expect((await ask(after, OP.GETATTR, project.node, pack(u32(0), u32(0), u64(0)))).errno).toBe(0);
    expect((await ask(after, OP.GETATTR, file.node, pack(u32(0), u32(0), u64(0)))).errno).toBe(ESTALE);
    const again = await entry(after, project.node, 'file');
    expect(again.node).not.toBe(file.node);
    const read = pack(u64(handle), u64(0), u32(10), u32(0), u64(0), u32(0), u32(0));
    expect((await ask(after, OP.READ, again.node, read)).errno).toBe(EBADF);
    expect((await lookup(after, project.node, 'none')).errno).toBe(ENOENT);
  });

  test('that mounts again is served like a new one', async () => {
    const first = newServer();
    await ask(await greet(), OP.INIT, 0, INIT);
    await first[Symbol.asyncDispose]();
    await using _second = newServer();
    const after = await greet();
    expect((await ask(after, OP.INIT, 0, INIT)).errno).toBe(0);
    expect((await entry(after, 1, 'data')).node).toBeGreaterThan(1);
    // Once it has mounted, a second INIT ends the session.
    await expect(ask(after, OP.INIT, 0, INIT)).rejects.toThrow(/ended/);
  });

  test('and whose state is damaged or missing waits until it mounts', async () => {
    for (const text of ['', '{"version":1}', '{"version":2,"init":{},"nodes":[]}']) {
      writeFileSync(join(dir, 'state'), text);
      await using _guest = newServer();
      await expect(lookup(await greet(), 1, 'project')).rejects.toThrow(/ended/);
      const next = await greet();
      expect((await ask(next, OP.INIT, 0, INIT)).errno).toBe(0);
      expect(JSON.parse(readFileSync(join(dir, 'state'), 'utf8'))).toMatchObject({ version: 1 });
      arrivals.length = 0;
    }
  });
});

test('a guest is served again after each loss of its connection, until it is let go', async () => {
  const guest = newServer();
  await ask(await greet(), OP.INIT, 0, INIT);
  for (let count = 0; count < 3; count += 1) {
    const socket = await greetAfterLoss(guest);
    expect((await lookup(socket, 1, 'project')).errno).toBe(0);
  }
  await guest[Symbol.asyncDispose]();
  expect(guest.session).toBeUndefined();
});

async function greetAfterLoss(guest: ServedGuest): Promise<Socket> {
  guest.session?.[Symbol.dispose]();
  return greet();
}

/** The relay ends what it has begun, and says so. */
async function pausedBy(socket: Socket): Promise<void> {
  let text = Buffer.alloc(0);
  const asked = Buffer.alloc(16);
  asked.writeUInt32LE(16, 0);
  asked.writeUInt32LE(PAUSE, 4);
  while (!text.includes(asked)) {
    text = Buffer.concat([text, (socket.read() as Buffer | null) ?? Buffer.alloc(0)]);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  socket.write(frame({ opcode: PAUSED, unique: 0, node: 0 }, Buffer.alloc(0)));
}

describe('a guest that is suspended', () => {
  const read = (handle: bigint) => pack(u64(handle), u64(0), u32(10), u32(0), u64(0), u32(0), u32(0));

  async function suspended() {
    const first = newServer();
    const before = await greet();
    await ask(before, OP.INIT, 0, INIT);
    const project = await entry(before, 1, 'project');
    const file = await entry(before, project.node, 'file');
    const opened = await ask(before, OP.OPEN, file.node, pack(u32(0), u32(0)));
    const suspending = first.suspend();
    await pausedBy(before);
    await suspending;
    // It is not served meanwhile.
    expect([before.destroyed || arrivals.length === 0, first.session]).toEqual([true, undefined]);
    return { project, file, handle: opened.body.readBigUInt64LE(0) };
  }

  /** Notifications come before the first reply: what the host changed meanwhile is asked for again. */
  async function resumed(): Promise<{ socket: Socket; notes: number }> {
    const socket = await greet();
    let notes = 0;
    const until = Date.now() + 60;
    while (Date.now() < until) {
      const chunk = socket.read() as Buffer | null;
      for (let at = 0; chunk !== null && at < chunk.length; at += chunk.readUInt32LE(at)) notes += 1;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return { socket, notes };
  }

  test('continues with its nodes and open files, in another server', async () => {
    const { file, handle } = await suspended();
    writeFileSync(join(dir, 'project', 'file'), 'edited');
    await using _next = newServer();
    const { socket, notes } = await resumed();
    expect(notes).toBeGreaterThan(0);
    expect((await ask(socket, OP.GETATTR, file.node, pack(u32(0), u32(0), u64(0)))).errno).toBe(0);
    expect((await ask(socket, OP.READ, file.node, read(handle))).body.toString()).toBe('edited');
  });

  test('finds a file that is gone to answer EIO', async () => {
    const { file, handle } = await suspended();
    rmSync(join(dir, 'project', 'file'));
    await using _next = newServer();
    const { socket } = await resumed();
    expect((await ask(socket, OP.READ, file.node, read(handle))).errno).toBe(EIO);
  });

  test('continues once: a server that is lost later does not go back to that moment', async () => {
    const { file, handle } = await suspended();
    const next = newServer();
    await resumed();
    await next[Symbol.asyncDispose]();
    await using _third = newServer();
    const { socket } = await resumed();
    expect((await ask(socket, OP.READ, file.node, read(handle))).errno).toBe(ESTALE);
  });
});
