/** The end of a direction is said after all of its bytes, also where the stream takes them late: on both sides of a tunnel. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { tunnel } from '../../../../lib/engine/local/ports/tunnel.ts';
import { tcp } from '../../../../lib/guest/agent/tcp.ts';
import type { GuestConnection } from '../../../../lib/guest/client/connection.ts';
import { deferred } from '../../../../lib/guest/protocol/deferred.ts';
import { CHANNEL } from '../../../../lib/guest/protocol/messages.ts';
import type { MuxStream } from '../../../../lib/guest/protocol/mux.ts';

/** A stream without credit until `grant` */
function slowStream() {
  const said: string[] = [];
  const credit = deferred<void>();
  const stream: MuxStream = {
    id: 1,
    async send(_channel, data) {
      await credit.promise;
      said.push(String(data));
    },
    end: () => void said.push('end'),
    control: () => {},
    close: () => void said.push('close'),
    reset: () => void said.push('reset'),
  };
  return { stream, said, grant: () => credit.resolve() };
}

async function pair(): Promise<{ here: Socket; there: Socket; port: number } & Disposable> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const here = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [there] = (await once(server, 'connection')) as [Socket];
  const end = () => {
    for (const socket of [here, there]) socket.destroy();
    server.close();
  };
  return { here, there, port, [Symbol.dispose]: end };
}

/** Enough turns of the event loop for an end that does not wait */
const soon = () => new Promise((resolve) => setTimeout(resolve, 100));

test('of a client on the host', async () => {
  using ends = await pair();
  const { stream, said, grant } = slowStream();
  const guest = { openRaw: () => stream } as unknown as GuestConnection;
  void tunnel(ends.there, guest, { port: 1 });
  ends.here.end('last words');
  await soon();
  expect(said).toEqual([]);
  grant();
  await expect.poll(() => said).toEqual(['last words', 'end']);
});

test('of a service inside, whose connection is closed by then', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.end('last words'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { stream, said, grant } = slowStream();
  const { port } = server.address() as AddressInfo;
  const events = tcp(stream, { host: '127.0.0.1', port });
  events.onEnd(CHANNEL.stdin);
  await soon();
  expect(said).toEqual([]);
  grant();
  await expect.poll(() => said).toEqual(['last words', 'end', 'close']);
  server.close();
});
