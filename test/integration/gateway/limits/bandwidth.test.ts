/** `[network] bandwidth`: how fast bytes pass, each way, of all connections of a VM allOrAbort. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../../../lib/gateway/policy/policy.ts';
import { type Client, CONNECT, GET, POLICY, type Rig, startRig } from '../rig.ts';

const RATE = 1024 * 1024;
const SIZE = RATE / 2;
const BODY = Buffer.alloc(SIZE, 'x');
const LIMITED = { ...POLICY, bandwidth: RATE };
const CLOSE = 'Connection: close\r\n';

/** Sends the body as soon as it is asked for anything. */
const sending = (socket: Socket) => void socket.once('data', () => socket.end(BODY));
const sendingHttp = (socket: Socket) =>
  void socket.once('data', () =>
    socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`), BODY])),
  );
/** Reads until the end, then says how much it was. */
const counting = (socket: Socket) => {
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.on('end', () => socket.end(`${bytes} bytes`));
};

const download = async (rig: Rig) => {
  const client = await rig.client();
  client.send(CONNECT('api.ok.test:22'));
  await client.until('established\r\n\r\n');
  client.send('go');
  return (await client.end()).split('\r\n\r\n')[1]?.length;
};

const upload = async (rig: Rig) => {
  const client = await rig.client();
  client.send(CONNECT('api.ok.test:22'));
  await client.until('established\r\n\r\n');
  client.socket.end(BODY);
  return (await client.end()).split('\r\n\r\n')[1];
};

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  return { value: await work(), ms: performance.now() - began };
}

describe('a bandwidth limit', () => {
  test.each<[string, (socket: Socket) => void, (rig: Rig) => Promise<unknown>, unknown]>([
    ['down a tunnel', sending, download, SIZE],
    ['up a tunnel', counting, upload, `${SIZE} bytes`],
    [
      'down a plain request',
      sendingHttp,
      async (rig: Rig) => (await rig.ask(GET('http://api.ok.test/', CLOSE))).split('\r\n\r\n')[1]?.length,
      SIZE,
    ],
    [
      'up a plain request',
      (socket: Socket) => {
        let bytes = 0;
        socket.on('data', (chunk) => {
          bytes += chunk.length;
          if (bytes >= SIZE) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
      },
      async (rig: Rig) => {
        const client = await rig.client();
        client.send(
          `POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\n${CLOSE}Content-Length: ${SIZE}\r\n\r\n`,
        );
        client.socket.write(BODY);
        return (await client.end()).split('\r\n\r\n')[1];
      },
      'ok',
    ],
  ])(
    '%s: slows the transfer to its rate, and everything arrives; without it the transfer is faster',
    async (_name, upstream, transfer, expected) => {
      await using limited = await startRig({ policy: LIMITED, upstream });
      await using free = await startRig({ upstream });
      const [slow, fast] = [await timed(() => transfer(limited)), await timed(() => transfer(free))];
      expect([slow.value, fast.value]).toEqual([expected, expected]);
      // Half a second's worth, of which a tenth of a second's passes at once and the last chunk is not waited for.
      expect(slow.ms).toBeGreaterThan(250);
      expect(fast.ms).toBeLessThan(slow.ms);
    },
  );

  test('is shared by all connections of the VM', async () => {
    await using rig = await startRig({ policy: LIMITED, upstream: sending });
    const { value, ms } = await timed(() => Promise.all([download(rig), download(rig), download(rig)]));
    expect(value).toEqual([SIZE, SIZE, SIZE]);
    expect(ms).toBeGreaterThan(1_000);
  });

  test('is applied to open tunnels, and removed from them', async () => {
    const endless = (socket: Socket) => {
      const more = () => {
        while (!socket.destroyed && socket.write(BODY));
      };
      socket.on('drain', more);
      more();
    };
    await using rig = await startRig({ upstream: endless });
    const client = await rig.client();
    client.socket.removeAllListeners('data');
    const passed = countBytes(client);
    client.send(CONNECT('api.ok.test:22'));
    const during = async (ms: number) => {
      const before = passed();
      await sleep(ms);
      return passed() - before;
    };
    await sleep(50);
    const free = await during(300);
    rig.listener.setPolicy(compilePolicy(LIMITED));
    // What was on its way already.
    await sleep(300);
    const limited = await during(1_000);
    rig.listener.setPolicy(compilePolicy(POLICY));
    await sleep(600);
    const again = await during(300);
    expect(limited).toBeGreaterThan(RATE / 4);
    expect(limited).toBeLessThan(RATE * 2);
    expect(free).toBeGreaterThan(limited);
    expect(again).toBeGreaterThan(limited);
  });

  test('is part of the hash of the policy', () => {
    expect(compilePolicy(LIMITED).hash).not.toBe(compilePolicy(POLICY).hash);
  });
});

function countBytes(client: Client): () => number {
  let bytes = 0;
  client.socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  return () => bytes;
}
