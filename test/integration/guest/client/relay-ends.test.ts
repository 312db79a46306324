import { duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { relayGuest } from '../../../../lib/guest/client/relay.ts';
import { CHANNEL, type ExecRequest } from '../../../../lib/guest/protocol/messages.ts';
import { encode, encodeData, encodeJson, TYPE } from '../../../../lib/guest/protocol/wire.ts';
import { readUntil } from '../agent/agent-rig.ts';
import { expectNoWarnings, fakeGuest, newClient, type Serve } from './relay-rig.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function collected(): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    await sleep(10);
    collect();
  }
}

const REQUEST: ExecRequest = { argv: ['command'], stdin: true };

expectNoWarnings();

describe('an end that goes away', () => {
  const hang: Serve = ({ stream }) => {
    void stream.send(CHANNEL.stdout, Buffer.from('ready'));
    return {};
  };

  test.each(['destroyed', 'half closed'])('the client, %s: its commands end, and no others', async (how) => {
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

  test('disconnected clients are not kept', async () => {
    const rig = await fakeGuest(hang);
    const gone: WeakRef<object>[] = [];
    const round = async () => {
      const [end, far] = duplexPair();
      gone.push(new WeakRef(far));
      const relay = relayGuest(far, rig.guest, (_service, body) => body);
      end.destroy();
      far.destroy();
      await relay;
    };
    for (let rounds = 0; rounds < 20; rounds += 1) await round();
    await collected();
    // The last ones may still be on a stack somewhere.
    expect(gone.filter((one) => one.deref() !== undefined).length).toBeLessThan(5);
    expect(rig.heard).toEqual([]);
  });

  test('a client that disconnected before it was served is not waited for', async () => {
    const rig = await fakeGuest(hang);
    const [end, far] = duplexPair();
    end.destroy();
    far.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    await relayGuest(far, rig.guest, (_service, body) => body);
    expect(rig.heard).toEqual([]);
  });

  test('one command cancelled by its client', async () => {
    const rig = await fakeGuest(hang);
    const { connection } = await newClient(rig.guest);
    const child = connection.exec(REQUEST);
    await readUntil(child.stdout, /ready/);
    await child[Symbol.asyncDispose]();
    await sleep(20);
    expect(rig.heard[0]?.resets).toHaveLength(1);
  });

  test('the guest: its clients are notified', async () => {
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

  test.each(Object.keys(attacks))('%s: its connection is closed', async (name) => {
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

  test('requests whose answers it never reads do not fill the memory', async () => {
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
