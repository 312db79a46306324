/** The relay between two doubles: a pair of sockets that keeps message borders stands for /dev/fuse, a Unix socket for the virtio port. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const GREETING = 'sbx workspace 1\n';
const EIO = 5;
const OFFER = 0x786f626d;
const BOXED = 0x8000_0000;
const SLOT = 1 << 20;
const READ = 15;
const WRITE = 16;
const FORGET = 2;
const LOOKUP = 1;
const INIT = 26;
const [PAUSE, PAUSED] = [0x70617573, 0x53425803];

let dir: string;
let server: Server;
let child: ChildProcessWithoutNullStreams;
let port: Socket;
let fromRelay: Buffer[];
let toKernel: Buffer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-relay-'));
  writeFileSync(join(dir, 'mailbox'), Buffer.alloc(16 * SLOT));
  server = createServer();
  await new Promise<void>((done) => server.listen(join(dir, 'port'), done));
  const connected = new Promise<Socket>((done) => server.once('connection', done));
  child = spawn('perl', [
    resolve(import.meta.dirname, 'seqpacket.pl'),
    join(dir, 'port'),
    resolve('lib/guest/workspace/relay.pl'),
    join(dir, 'mailbox'),
  ]);
  fromRelay = [];
  toKernel = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    toKernel = Buffer.concat([toKernel, chunk]);
  });
  port = await connected;
  port.on('data', (chunk: Buffer) => fromRelay.push(chunk)).on('error', () => {});
});
afterEach(async () => {
  child.stdin.on('error', () => {});
  child.kill();
  port.destroy();
  await new Promise((done) => server.close(done));
  rmSync(dir, { recursive: true, force: true });
});

function request(unique: number, opcode: number, body = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt32LE(40 + body.length, 0);
  header.writeUInt32LE(opcode, 4);
  header.writeBigUInt64LE(BigInt(unique), 8);
  return Buffer.concat([header, body]);
}

function reply(unique: number, body = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeBigUInt64LE(BigInt(unique), 8);
  return Buffer.concat([header, body]);
}

/** The kernel has a request for the device. */
function ask(message: Buffer): void {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(message.length);
  child.stdin.write(Buffer.concat([length, message]));
}

/** What was written to the device, each as one message. */
function written(): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 4 <= toKernel.length; ) {
    const end = at + 4 + toKernel.readUInt32LE(at);
    if (end > toKernel.length) break;
    messages.push(toKernel.subarray(at + 4, end));
    at = end;
  }
  return messages;
}

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setTimeout(done, 5));
}

const sent = () => Buffer.concat(fromRelay);

async function receive(bytes: number): Promise<Buffer> {
  await until(() => sent().length >= GREETING.length + bytes);
  expect(sent().subarray(0, GREETING.length).toString()).toBe(GREETING);
  return sent().subarray(GREETING.length);
}

describe('the relay', () => {
  test('greets, then sends each request as it was read', async () => {
    const messages = [request(1, LOOKUP, randomBytes(9)), request(2, LOOKUP), request(3, FORGET, randomBytes(8))];
    for (const message of messages) ask(message);
    const all = Buffer.concat(messages);
    expect(await receive(all.length)).toEqual(all);
  });

  test('writes each reply in one piece, however it arrives', async () => {
    await receive(0);
    const replies = [reply(1, randomBytes(70_000)), reply(2), reply(3, randomBytes(5))];
    const all = Buffer.concat(replies);
    for (let at = 0; at < all.length; at += 4_096) port.write(all.subarray(at, at + 4_096));
    await until(() => written().length === 3);
    expect(written()).toEqual(replies);
    // Two in one piece, and the third byte by byte
    port.write(Buffer.concat([reply(4, randomBytes(3)), reply(5)]));
    for (const byte of reply(6, Buffer.from('abc'))) port.write(Buffer.from([byte]));
    await until(() => written().length === 6);
    expect(written()[5]).toEqual(reply(6, Buffer.from('abc')));
  });

  test('takes replies while the server reads no requests', async () => {
    await receive(0);
    port.pause();
    // More than the socket to the server holds, and no more than the one to the relay holds besides.
    for (let unique = 1; unique <= 6; unique += 1) ask(request(unique, LOOKUP, Buffer.alloc(60_000)));
    port.write(reply(1, Buffer.from('still here')));
    await until(() => written().length === 1);
    port.resume();
    expect(await receive(6 * 60_040)).toHaveLength(6 * 60_040);
  });

  test('answers with EIO, once, what a lost server had taken; what needs no reply gets none, and INIT waits for the next server', async () => {
    ask(request(1, LOOKUP));
    ask(request(2, FORGET));
    ask(request(3, LOOKUP));
    ask(request(4, INIT));
    await receive(4 * 40);
    port.write(Buffer.concat([reply(1), reply(3, Buffer.alloc(50)).subarray(0, 30)]));
    await until(() => written().length === 1);
    port.destroy();
    await until(() => written().length === 2);
    const failed = written()[1] as Buffer;
    expect([failed.readUInt32LE(0), failed.readInt32LE(4), failed.readBigUInt64LE(8)]).toEqual([16, -EIO, 3n]);
  });

  test('writes notifications in their order, and goes on with replies while the kernel holds one up', async () => {
    await receive(0);
    const notes = Array.from({ length: 300 }, (_, index) => reply(0, Buffer.alloc(1_000 + index, index)));
    const notifier = childOf(childOf(child.pid as number));
    process.kill(notifier, 'SIGSTOP');
    for (const note of notes) port.write(note);
    port.write(reply(9));
    await until(() => written().length === 1);
    expect(written()[0]).toEqual(reply(9));
    process.kill(notifier, 'SIGCONT');
    await until(() => written().length === 301);
    expect(written().slice(1)).toEqual(notes);
  });

  test('takes a reply that is shorter than a header as the end of the server', async () => {
    ask(request(7, LOOKUP));
    await receive(40);
    port.write(Buffer.alloc(16));
    await until(() => written().length === 1);
    expect(written()[0]?.readInt32LE(4)).toBe(-EIO);
  });
});

/** As the kernel sends READ and WRITE: 40 bytes of their own, the size at 16 */
function transfer(unique: number, opcode: number, size: number, data = Buffer.alloc(0)): Buffer {
  const body = Buffer.alloc(40);
  body.writeUInt32LE(size, 16);
  return request(unique, opcode, Buffer.concat([body, data]));
}

describe('the mailbox', () => {
  const slotOf = (message: Buffer) => message.readUInt32LE(36) - 1;
  const offer = () => {
    const message = reply(0);
    message.writeUInt32LE(OFFER, 4);
    port.write(message);
  };
  /** The relay has taken what was sent to it before. */
  const settle = async (unique: number) => {
    port.write(reply(unique));
    await until(() => written().some((message) => message.readBigUInt64LE(8) === BigInt(unique)));
  };
  const boxed = (unique: number, size: number) => {
    const message = reply(unique);
    message.writeUInt32LE((BOXED | (16 + size)) >>> 0, 0);
    return message;
  };
  const mailbox = (work: (fd: number) => void) => {
    const fd = openSync(join(dir, 'mailbox'), 'r+');
    work(fd);
    closeSync(fd);
  };

  test('is not used unless the server offers it', async () => {
    const message = transfer(1, WRITE, 40_000, randomBytes(40_000));
    ask(message);
    expect(await receive(message.length)).toEqual(message);
  });

  test('carries the payload of a large write; a small one goes through the port', async () => {
    await receive(0);
    offer();
    await settle(90);
    const data = randomBytes(40_001);
    ask(transfer(1, WRITE, data.length, data));
    const [headers] = [await receive(80)];
    expect([headers.length, headers.readUInt32LE(0), headers.readUInt32LE(56)]).toEqual([80, 80, data.length]);
    const found = Buffer.alloc(data.length);
    mailbox((fd) => readSync(fd, found, 0, found.length, slotOf(headers) * SLOT));
    expect(found.equals(data)).toBe(true);
    const small = transfer(2, WRITE, 5, Buffer.from('small'));
    ask(small);
    expect((await receive(80 + small.length)).subarray(80)).toEqual(small);
  });

  test('carries the data of a large read, which reaches the kernel in one piece', async () => {
    await receive(0);
    offer();
    await settle(90);
    ask(transfer(1, READ, 60_000));
    const asked = await receive(80);
    const data = randomBytes(50_001);
    mailbox((fd) => writeSync(fd, data, 0, data.length, slotOf(asked) * SLOT));
    port.write(boxed(1, data.length));
    await until(() => written().length === 2);
    expect(written()[1]).toEqual(reply(1, data));
  });

  test('gives no slot to two requests at a time, and goes on without a free one', async () => {
    await receive(0);
    offer();
    await settle(90);
    for (let unique = 1; unique <= 17; unique += 1) ask(transfer(unique, READ, 60_000));
    const all = await receive(17 * 80);
    const slots = Array.from({ length: 17 }, (_, index) => slotOf(all.subarray(index * 80)));
    expect(new Set(slots.slice(0, 16)).size).toBe(16);
    expect(slots[16]).toBe(-1);
    port.write(reply(3, Buffer.from('plain')));
    await until(() => written().length === 2);
    ask(transfer(18, READ, 60_000));
    expect(slotOf((await receive(18 * 80)).subarray(17 * 80))).toBe(slots[2]);
  });

  test('takes data for a request without a slot as the end of the server', async () => {
    ask(transfer(1, READ, 60_000));
    await receive(80);
    offer();
    port.write(boxed(1, 20_000));
    await until(() => written().length === 1);
    expect(written()[0]?.readInt32LE(4)).toBe(-EIO);
  });
});

describe('a pause', () => {
  const pause = () => {
    const message = Buffer.alloc(16);
    message.writeUInt32LE(16, 0);
    message.writeUInt32LE(PAUSE, 4);
    port.write(message);
  };

  test('comes once no request waits for a reply; what comes later waits in the kernel, and nothing fails', async () => {
    await receive(0);
    ask(request(1, LOOKUP));
    expect(await receive(40)).toEqual(request(1, LOOKUP));
    pause();
    await new Promise((done) => setTimeout(done, 100));
    ask(request(2, LOOKUP));
    // The first one has no reply yet.
    expect(await receive(40)).toHaveLength(40);
    port.write(reply(1));
    const paused = (await receive(80)).subarray(40);
    expect([paused.readUInt32LE(4), paused.length]).toEqual([PAUSED, 40]);
    port.destroy();
    await new Promise((done) => setTimeout(done, 100));
    // Neither was sent, nor failed with EIO: it waits in the kernel.
    expect(written()).toEqual([reply(1)]);
  });
});
