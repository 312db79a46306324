import { createHash, randomBytes } from 'node:crypto';
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GuestConnection } from '../../../lib/guest/client.ts';
import type { MuxStream, StreamEvents } from '../../../lib/guest/mux.ts';
import { pipeOf } from '../../../lib/guest/pipe.ts';
import { relayGuest } from '../../../lib/guest/relay.ts';
import { CHANNEL, type ExecRequest } from '../../../lib/guest/services.ts';
import { createSession } from '../../../lib/guest/session.ts';
import { encode, encodeData, encodeJson, TYPE } from '../../../lib/guest/wire.ts';
import { outcomeOf, readUntil } from './agent-rig.ts';

const MIB = 1024 ** 2;
const REQUEST: ExecRequest = { argv: ['command'], stdin: true };

/** Two ends of which neither outlives the other, as with a socket. */
function socketPair(): [Duplex, Duplex] {
  const [one, other] = duplexPair();
  for (const [end, far] of [
    [one, other],
    [other, one],
  ] as const) {
    end.on('error', () => {});
    end.once('close', () => setImmediate(() => far.destroy()));
  }
  return [one, other];
}

interface Heard {
  service: string;
  body: unknown;
  stream: MuxStream;
  controls: unknown[];
  resets: string[];
}

/** The guest's side, played by the test: `serve` says what a stream's events do. */
interface Rig {
  guest: GuestConnection;
  /** The guest's own end of the pipe */
  inside: Duplex;
  heard: Heard[];
}

type Serve = (heard: Heard) => Partial<StreamEvents>;

async function fakeGuest(serve: Serve): Promise<Rig> {
  const [outside, inside] = socketPair();
  const heard: Heard[] = [];
  const session = createSession(pipeOf(inside), (stream, service, body) => {
    const one: Heard = { service, body, stream, controls: [], resets: [] };
    heard.push(one);
    return {
      onData: (_channel, _data, taken) => taken(),
      onEnd: () => {},
      onControl: (message) => void one.controls.push(message),
      onClose: () => {},
      onReset: (reason) => void one.resets.push(reason),
      ...serve(one),
    };
  });
  inside.on('data', (chunk: Buffer) => session.push(chunk));
  return { guest: await GuestConnection.connect(outside), inside, heard };
}

interface Client {
  connection: GuestConnection;
  /** The client's end of its socket */
  end: Duplex;
  relay: Promise<void>;
}

async function newClient(guest: GuestConnection): Promise<Client> {
  const [end, far] = socketPair();
  const relay = relayGuest(far, guest);
  return { connection: await GuestConnection.connect(end), end, relay };
}

const warnings: Error[] = [];
const onWarning = (warning: Error) => void warnings.push(warning);
beforeEach(() => void process.on('warning', onWarning));
afterEach(() => {
  process.off('warning', onWarning);
  expect(warnings.splice(0)).toEqual([]);
});

/** Sends back what it gets, and closes when that ends. */
const echo: Serve = ({ stream }) => {
  let sent = Promise.resolve();
  return {
    onData(_channel, data, taken) {
      sent = sent.then(() => stream.send(CHANNEL.stdout, data)).then(taken);
    },
    onEnd: () => void sent.then(() => stream.close({ code: 3 })),
  };
};

describe('a stream through the relay', () => {
  test('carries the request, both outputs, messages and the result', async () => {
    const rig = await fakeGuest(({ stream }) => ({
      onData(_channel, data, taken) {
        void stream.send(CHANNEL.stdout, Buffer.from(`out:${data}`));
        void stream.send(CHANNEL.stderr, Buffer.from(`err:${data}`)).then(taken);
      },
      onEnd: () => stream.close({ code: 143, signal: 'SIGTERM' }),
    }));
    const { connection } = await newClient(rig.guest);
    const child = connection.exec(REQUEST);
    child.resize(120, 40);
    child.kill('SIGTERM');
    child.stdin.end('hello');
    expect(await outcomeOf(child)).toEqual({ code: 143, signal: 'SIGTERM', stdout: 'out:hello', stderr: 'err:hello' });
    expect(rig.heard).toMatchObject([
      { service: 'exec', body: REQUEST, controls: [{ resize: { cols: 120, rows: 40 } }, { signal: 'SIGTERM' }] },
    ]);
  });

  test('passes errors on as they are', async () => {
    const rig = await fakeGuest(({ stream }) => {
      stream.close({ error: { code: 'guest-failed', message: 'it is so', hint: 'do that' } });
      return {};
    });
    const { connection } = await newClient(rig.guest);
    await expect(connection.exec(REQUEST).exit).rejects.toMatchObject({
      code: 'guest-failed',
      message: 'it is so',
      hint: 'do that',
    });
  });

  test('carries 64 MiB each way without a changed byte; ends do not overtake data', async () => {
    const rig = await fakeGuest(echo);
    const { connection } = await newClient(rig.guest);
    const child = connection.exec(REQUEST);
    const block = randomBytes(MIB);
    const [sent, got] = [createHash('sha256'), createHash('sha256')];
    const writing = (async () => {
      for (let index = 0; index < 64; index += 1) {
        sent.update(block);
        if (!child.stdin.write(block)) await new Promise((resolve) => child.stdin.once('drain', resolve));
      }
      child.stdin.end();
    })();
    for await (const chunk of child.stdout) got.update(chunk as Buffer);
    await writing;
    expect(await child.exit).toEqual({ code: 3 });
    expect(got.digest('hex')).toBe(sent.digest('hex'));
  });

  test('many at once, from several clients', async () => {
    const rig = await fakeGuest(echo);
    const clients = await Promise.all([1, 2, 3].map(() => newClient(rig.guest)));
    const texts = Array.from({ length: 60 }, (_, index) => `${index} `.repeat(10_000));
    const found = await Promise.all(
      texts.map((text, index) => {
        const child = (clients[index % 3] as Client).connection.exec(REQUEST);
        child.stdin.end(text);
        return outcomeOf(child);
      }),
    );
    expect(found.every(({ stdout, code }, index) => code === 3 && stdout === texts[index])).toBe(true);
  });

  test('a client that does not read holds up the sender in the guest, and no other stream', async () => {
    let sent = 0;
    const rig = await fakeGuest((heard) => {
      if ((heard.body as ExecRequest).argv[0] !== 'flood') return echo(heard);
      void (async () => {
        for (; sent < 64 * MIB; sent += MIB) await heard.stream.send(CHANNEL.stdout, Buffer.alloc(MIB));
        heard.stream.close({ code: 0 });
      })();
      return {};
    });
    const { connection } = await newClient(rig.guest);
    const flood = connection.exec({ ...REQUEST, argv: ['flood'] });
    const quick = connection.exec(REQUEST);
    quick.stdin.end('quick');
    expect(await outcomeOf(quick)).toMatchObject({ stdout: 'quick' });
    await sleep(300);
    // A window here and one there, and a little on the way.
    expect(sent).toBeLessThan(4 * MIB);
    let bytes = 0;
    for await (const chunk of flood.stdout) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(64 * MIB);
    expect(await flood.exit).toEqual({ code: 0 });
  });
});

describe('what a client may ask', () => {
  test.each(['configure', 'trusted', 'prepare-snapshot', 'shutdown', 'no-such', 'constructor'])(
    '%s is not its to ask',
    async (service) => {
      const rig = await fakeGuest(() => ({}));
      const { connection } = await newClient(rig.guest);
      await expect(connection.request(service as 'ping', {})).rejects.toMatchObject({ code: 'guest-protocol' });
      expect(rig.heard).toEqual([]);
    },
  );

  test('ping is', async () => {
    const rig = await fakeGuest(({ stream }) => {
      stream.close({ ok: true });
      return {};
    });
    const { connection } = await newClient(rig.guest);
    expect(await connection.request('ping', {})).toEqual({ ok: true });
  });

  test('nonsense costs the client its connection, and nobody else anything', async () => {
    const rig = await fakeGuest(echo);
    const [bad, good] = [await newClient(rig.guest), await newClient(rig.guest)];
    const child = good.connection.exec(REQUEST);
    bad.end.write(encode(TYPE.open, 1, Buffer.from('{"service":')));
    await bad.relay;
    child.stdin.end('well');
    expect(await outcomeOf(child)).toMatchObject({ code: 3, stdout: 'well' });
  });
});

describe('an end that goes away', () => {
  const hang: Serve = ({ stream }) => {
    void stream.send(CHANNEL.stdout, Buffer.from('ready'));
    return {};
  };

  test.each(['destroyed', 'half closed'])('the client, %s: what it started ends, and nothing else', async (how) => {
    const rig = await fakeGuest(hang);
    const [gone, stays] = [await newClient(rig.guest), await newClient(rig.guest)];
    const lost = gone.connection.exec(REQUEST);
    lost.exit.catch(() => {});
    const kept = stays.connection.exec(REQUEST);
    await Promise.all([readUntil(lost.stdout, /ready/), readUntil(kept.stdout, /ready/)]);
    if (how === 'destroyed') await gone.connection[Symbol.asyncDispose]();
    else gone.end.end();
    await gone.relay;
    await sleep(20);
    expect(rig.heard.map(({ resets }) => resets.length)).toEqual([1, 0]);
    rig.heard[1]?.stream.close({ code: 0 });
    expect(await kept.exit).toEqual({ code: 0 });
  });

  test('one command given up by its client', async () => {
    const rig = await fakeGuest(hang);
    const { connection } = await newClient(rig.guest);
    const child = connection.exec(REQUEST);
    await readUntil(child.stdout, /ready/);
    await child[Symbol.asyncDispose]();
    await sleep(20);
    expect(rig.heard[0]?.resets).toHaveLength(1);
  });

  test('the guest: its clients hear of it', async () => {
    const rig = await fakeGuest(hang);
    const clients = [await newClient(rig.guest), await newClient(rig.guest)];
    const children = clients.map(({ connection }) => connection.exec(REQUEST));
    await Promise.all(children.map(({ stdout }) => readUntil(stdout, /ready/)));
    const exits = children.map(({ exit }) => expect(exit).rejects.toMatchObject({ code: 'guest-protocol' }));
    rig.inside.destroy();
    await Promise.all([...exits, rig.guest.closed, ...clients.map(({ relay }) => relay)]);
  });
});

describe('a hostile guest', () => {
  const stream = 1;
  const attacks: Record<string, () => Buffer> = {
    'a result that is no JSON': () => encode(TYPE.close, stream, Buffer.from('{')),
    'a result that is null': () => encodeJson(TYPE.close, stream, null),
    'an error that is null': () => encodeJson(TYPE.close, stream, { error: null }),
    'a reset that is no JSON': () => encode(TYPE.reset, stream),
    'a grant that is too short': () => encode(TYPE.window, stream, Buffer.from([1])),
    'data without a channel': () => encode(TYPE.data, stream),
    'empty data': () => encodeData(stream, CHANNEL.stdout, Buffer.alloc(0)),
    'data on a channel that is none': () => encodeData(stream, 200, Buffer.from('x')),
    'a message of endless parts': () =>
      Buffer.concat(Array.from({ length: 200 }, () => encode(TYPE.part, stream, Buffer.alloc(32 * 1024)))),
    'more data than it has credit for': () =>
      Buffer.concat(Array.from({ length: 100 }, () => encodeData(stream, CHANNEL.stdout, Buffer.alloc(32 * 1024 - 1)))),
    'a stream of its own that is no JSON': () => encode(TYPE.open, 9, Buffer.from('nonsense')),
  };

  test.each(Object.keys(attacks))('%s: it loses its connection', async (name) => {
    for (const relayed of [false, true]) {
      const rig = await fakeGuest(() => ({}));
      const client = relayed ? await newClient(rig.guest) : undefined;
      const child = (client?.connection ?? rig.guest).exec(REQUEST);
      const exit = expect(child.exit).rejects.toMatchObject({ name: 'SbxError' });
      while (rig.heard.length === 0) await sleep(1);
      rig.inside.write(attacks[name]?.());
      await Promise.all([exit, client?.relay ?? rig.guest.closed]);
    }
  });

  test('questions whose answers it never reads do not fill the memory', async () => {
    const rig = await fakeGuest(() => ({}));
    rig.inside.removeAllListeners('data').pause();
    const flood = Buffer.concat(
      Array.from({ length: 20_000 }, (_, index) => encodeJson(TYPE.open, index + 2, { service: 'x' })),
    );
    let ended = false;
    void rig.guest.closed.then(() => {
      ended = true;
    });
    for (let round = 0; round < 200 && !ended; round += 1) {
      rig.inside.write(flood);
      await sleep(1);
    }
    expect(ended).toBe(true);
  });
});
