/** A guest that breaks the rules of a port's stream harms only its own connections, and gets nothing of the host. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errnoOf } from '../../../../../lib/errors.ts';
import { tcp } from '../../../../../lib/guest/agent/tcp.ts';
import { GuestConnection } from '../../../../../lib/guest/client/connection.ts';
import { deferred } from '../../../../../lib/guest/protocol/deferred.ts';
import type { ConnectRequest } from '../../../../../lib/guest/protocol/messages.ts';
import { DISCARD, Mux, type MuxStream } from '../../../../../lib/guest/protocol/mux.ts';
import { pipeOf } from '../../../../../lib/guest/protocol/pipe.ts';
import { createSession } from '../../../../../lib/guest/protocol/server-session.ts';
import { encode, encodeData, encodeJson, TYPE, WINDOW } from '../../../../../lib/guest/protocol/wire.ts';
import { dial, endOf, ID, portsRig, service, until } from './rig.ts';

/** What the guest does with the stream of a new connection; `pipe` is what the host reads. */
type Answer = (stream: MuxStream, pipe: Socket) => void;

let dir: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-hostile-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(dir, { recursive: true, force: true });
});

async function hostileGuest(answer: Answer): Promise<GuestConnection> {
  const server = createServer((pipe) => {
    const session = createSession(pipeOf(pipe), (stream) => {
      answer(stream, pipe);
      return DISCARD;
    });
    pipe.on('data', (chunk) => session.push(chunk)).on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  const guest = await GuestConnection.connect(join(dir, 's'), { signal: AbortSignal.timeout(20_000) });
  closing.push(async () => {
    await guest[Symbol.asyncDispose]();
    await new Promise((resolve) => server.close(resolve));
  });
  return guest;
}

const JUNK: [what: string, answer: Answer][] = [
  ['data on a channel that does not exist', ({ id }, pipe) => pipe.write(encodeData(id, 9, Buffer.from('x')))],
  ['a result that is no object', ({ id }, pipe) => pipe.write(encodeJson(TYPE.close, id, null))],
  ['a result that is no JSON', ({ id }, pipe) => pipe.write(encode(TYPE.close, id, Buffer.from('{')))],
  ['its stream opened by itself', ({ id }, pipe) => pipe.write(encodeJson(TYPE.open, id, { service: 'connect' }))],
  ['its stream reset', (stream) => stream.reset('no')],
  ['a refusal', (stream) => stream.close({ error: { code: 'guest-failed', message: 'no' } })],
];

describe('the client is reset, and nothing is left, when the guest answers with', () => {
  test.each(JUNK)('%s', async (_, answer) => {
    const guest = await hostileGuest(answer);
    using r = portsRig(() => guest);
    const port = await r.open(1);
    const how = await dial(port).then(async (client) => {
      client.write('hello');
      return await endOf(client);
    }, errnoOf);
    expect(how).toBe('ECONNRESET');
    await until(() => r.ports.usage(ID).open === 0);
  });
});

test('a guest that sends without credit to a client that does not read is cut off', async () => {
  const guest = await hostileGuest(({ id }, pipe) => {
    // Far beyond what the sockets between them hold.
    for (let sent = 0; sent <= 128 * WINDOW; sent += 32_000) pipe.write(encodeData(id, 1, Buffer.alloc(32_000)));
  });
  using r = portsRig(() => guest);
  const client = await dial(await r.open(1));
  await guest.closed;
  await until(() => r.ports.usage(ID).open === 0);
  client.destroy();
});

test('what does not belong to the answer does not reach the client', async () => {
  const guest = await hostileGuest((stream) => {
    void stream.send(2, Buffer.from('stderr'));
    void stream.send(0, Buffer.from('stdin'));
    stream.control({ listen: 80 });
    stream.end(2);
    void stream.send(1, Buffer.from('answer')).then(() => stream.end(1));
  });
  using r = portsRig(() => guest);
  const client = await dial(await r.open(1));
  expect(await text(client)).toBe('answer');
  client.destroy();
});

test('a guest that never ends its side does not keep a connection that has ended', async () => {
  const guest = await hostileGuest(() => {});
  using r = portsRig(() => guest);
  const client = await dial(await r.open(1));
  await until(() => r.ports.usage(ID).open === 1);
  client.resetAndDestroy();
  await until(() => r.ports.usage(ID).open === 0);
});

describe('a stream that the guest opens', () => {
  const body = (port: number): ConnectRequest => ({ host: '127.0.0.1', port });

  test.each(['connect', 'listen', 'ports', 'exec'])(
    '%s is refused: no service of the host is reached',
    async (name) => {
      let reached = 0;
      await using secret = await service((socket) => {
        reached += 1;
        socket.end('secret');
      });
      const refused = deferred<string>();
      const guest = await hostileGuest((_stream, pipe) => {
        pipe.write(encodeJson(TYPE.open, 77, { service: name, body: { ...body(secret.port), guest: 1, host: 4000 } }));
        pipe.on('data', (chunk: Buffer) => {
          if (chunk.includes('the host offers no services')) refused.resolve('refused');
        });
      });
      using r = portsRig(() => guest);
      const client = await dial(await r.open(1));
      expect(await refused.promise).toBe('refused');
      expect(reached).toBe(0);
      expect(r.ports.stateOf(ID, [])).toHaveLength(1);
      client.destroy();
    },
  );

  test('would reach a service of the host if the host answered it as a guest does', async () => {
    const reached = deferred<string>();
    await using secret = await service((socket) => {
      reached.resolve('reached');
      socket.end('secret');
    });
    const careless = new Mux({ write: async () => {} }, (stream, _service, asked) =>
      tcp(stream, asked as ConnectRequest),
    );
    const frame = encodeJson(TYPE.open, 77, { service: 'connect', body: body(secret.port) });
    careless.receive({ type: TYPE.open, stream: 77, payload: frame.subarray(9) });
    expect(await reached.promise).toBe('reached');
  });
});
