/** Answers DNS questions inside the guest, over UDP and TCP, without an upstream server. */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { answerDns } from './dns-message.ts';
import type { Names } from './names.ts';

/** Far more than a question needs; a longer message closes the connection */
const MAX_TCP_BYTES = 1024;

const IDLE_MS = 10_000;

const LOOPBACK = '127.0.0.1';

interface DnsOptions {
  /** 0, in tests: any free one, the same for UDP and TCP */
  port?: number;
  addresses?: string[];
}

export interface DnsServer extends AsyncDisposable {
  port: number;
}

/** `addresses`: of the loopback by default; a container has another network and reaches only an address of a card. */
export async function startDns(
  names: Names,
  { port = 53, addresses = [LOOPBACK] }: DnsOptions = {},
): Promise<DnsServer> {
  const answer: Answer = (packet) => answerDns(packet, (name) => addressFor(names, name));
  const servers: DnsServer[] = [];
  for (const address of addresses) servers.push(await startAt(address, servers[0]?.port ?? port, answer));
  return {
    port: servers[0]?.port ?? port,
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

type Answer = (packet: Buffer) => Buffer | undefined;

async function startAt(address: string, port: number, answer: Answer): Promise<DnsServer> {
  const udp = createSocket('udp4');
  udp.on('error', () => {});
  udp.on('message', (packet, from) => {
    const bytes = answer(packet);
    if (bytes !== undefined) udp.send(bytes, from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, address, resolve);
  });
  const chosen = udp.address().port;
  const open = new Set<Socket>();
  const tcp = createServer((socket) => {
    open.add(socket.once('close', () => open.delete(socket)));
    serveTcp(socket, answer);
  });
  tcp.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen(chosen, address, resolve);
  });
  return {
    port: chosen,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await Promise.all([new Promise((done) => tcp.close(done)), new Promise<void>((done) => udp.close(() => done()))]);
    },
  };
}

function addressFor(names: Names, name: string): string {
  const own = name === hostname().toLowerCase() || name === 'localhost' || name.endsWith('.localhost');
  return own ? LOOPBACK : names.addressOf(name);
}

/** Each message follows its length in two bytes. */
function serveTcp(socket: Socket, answer: Answer): void {
  let held = Buffer.alloc(0);
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2) {
      const length = held.readUInt16BE(0);
      if (length > MAX_TCP_BYTES) return void socket.destroy();
      if (held.length < 2 + length) return;
      const bytes = answer(held.subarray(2, 2 + length));
      held = held.subarray(2 + length);
      if (bytes === undefined) return void socket.destroy();
      const size = Buffer.alloc(2);
      size.writeUInt16BE(bytes.length);
      socket.write(Buffer.concat([size, bytes]));
    }
  });
}
