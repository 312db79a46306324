import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { startDns } from '../../../../../lib/guest/agent/net/dns-server.ts';
import { createNames } from '../../../../../lib/guest/agent/net/names.ts';
import { joinUpstream, openUpstream, type Upstream } from '../../../../../lib/guest/agent/net/proxy-stream.ts';

const ask = (name: string) =>
  Buffer.from(
    `\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00${name
      .split('.')
      .map((label) => String.fromCharCode(label.length) + label)
      .join('')}\x00\x00\x01\x00\x01`,
    'latin1',
  );
const addressIn = (answer: Buffer) => [...answer.subarray(-4)].join('.');

describe('the DNS server', () => {
  test('answers over UDP and TCP, the same for both, and knows its own host', async () => {
    const names = createNames();
    await using dns = await startDns(names, { port: 0, addresses: ['127.0.0.1', '127.0.0.2'] });
    const udp = createSocket('udp4');
    const overUdp = (name: string, at = '127.0.0.1') =>
      new Promise<Buffer>((resolve) => udp.once('message', resolve).send(ask(name), dns.port, at));
    const address = addressIn(await overUdp('api.ok.test'));
    expect(names.nameOf(address)).toBe('api.ok.test');
    expect(addressIn(await overUdp(hostname()))).toBe('127.0.0.1');
    expect(addressIn(await overUdp('x.localhost'))).toBe('127.0.0.1');
    expect(addressIn(await overUdp('api.ok.test', '127.0.0.2'))).toBe(address);
    udp.close();
    const tcp = connect(dns.port, '127.0.0.1');
    const question = ask('api.ok.test');
    const length = Buffer.from([0, question.length]);
    // In pieces, and two at once.
    tcp.write(length.subarray(0, 1));
    tcp.write(Buffer.concat([length.subarray(1), question, length, question]));
    let held = Buffer.alloc(0);
    const size = 2 + question.length + 16;
    for await (const chunk of tcp) {
      held = Buffer.concat([held, chunk as Buffer]);
      if (held.length >= 2 * size) break;
    }
    expect([addressIn(held.subarray(0, size)), addressIn(held)]).toEqual([address, address]);
  });

  test('ends a connection that asks for too much', async () => {
    await using dns = await startDns(createNames(), { port: 0 });
    const tcp = connect(dns.port, '127.0.0.1');
    tcp.write(Buffer.from([0xff, 0xff]));
    await new Promise((resolve) => tcp.once('close', resolve).resume());
    expect(tcp.destroyed).toBe(true);
  });
});

describe('a proxied connection', () => {
  test('asks for its name, passes bytes both ways, and ends on both sides', async () => {
    await using rig = await startCarry((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nearly ');
      socket.once('data', (bytes: Buffer) => socket.end(bytes));
    });
    const client = rig.client();
    client.write('hello');
    client.end();
    let text = '';
    for await (const chunk of client) text += chunk;
    expect(text).toBe('early hello');
    expect(rig.heads[0]).toBe(
      'CONNECT api.ok.test:443 HTTP/1.1\r\nHost: api.ok.test:443\r\nSbx-Explain: inside\r\n\r\n',
    );
  });

  test.each([
    ['is refused', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['meets what is no gateway', 'SSH-2.0-x\r\n\r\n'],
    ['meets an endless head', 'x'.repeat(20_000)],
  ])('is not opened when it %s', async (_name, answer) => {
    await using rig = await startCarry((socket) => void socket.write(answer));
    expect(await rig.open()).toBeUndefined();
  });

  test('is not opened when the gateway is gone', async () => {
    expect(await openUpstream('api.ok.test:443', { host: '127.0.0.1', port: 1 })).toBeUndefined();
  });

  test('is reset when the gateway ends before the program is connected', async () => {
    await using rig = await startCarry((socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    rig.onOpen = (upstream) => void upstream.socket.destroy();
    const client = rig.client();
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => client.once('error', resolve).resume());
    expect(error.code).toBe('ECONNRESET');
  });
});

async function startCarry(serve: (socket: Socket) => void) {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const listening = async (server: Server) => {
    server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const gateway = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once('data', (bytes: Buffer) => {
      heads.push(bytes.toString());
      serve(socket);
    });
  });
  const port = await listening(gateway);
  const open = () => openUpstream('api.ok.test:443', { host: '127.0.0.1', port });
  const rig = { onOpen: (_upstream: Upstream): void => {} };
  const front = createServer({ allowHalfOpen: true, pauseOnConnect: true }, async (socket) => {
    const upstream = await open();
    if (upstream === undefined) return void socket.resetAndDestroy();
    rig.onOpen(upstream);
    joinUpstream(socket, upstream);
  });
  const frontPort = await listening(front);
  return Object.assign(rig, {
    heads,
    open,
    client: () => connect({ port: frontPort, host: '127.0.0.1', allowHalfOpen: true }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([gateway, front].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  });
}
