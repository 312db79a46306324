import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CHANNEL, type ExecRequest } from '../../../../lib/guest/protocol/messages.ts';
import { encode, TYPE } from '../../../../lib/guest/protocol/wire.ts';
import { outcomeOf } from '../agent/agent-rig.ts';
import { type Client, echo, expectNoWarnings, fakeGuest, newClient } from './relay-rig.ts';

const MIB = 1024 ** 2;

const REQUEST: ExecRequest = { argv: ['command'], stdin: true };

expectNoWarnings();

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

  test('a client that does not read blocks its sender in the guest, and no other stream', async () => {
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
  test.each(['trusted', 'clock', 'session-watch', 'prepare-snapshot', 'shutdown', 'no-such', 'constructor'])(
    '%s is not its to ask',
    async (service) => {
      const rig = await fakeGuest(() => ({}));
      const { connection } = await newClient(rig.guest);
      await expect(connection.request(service as 'ping', {})).rejects.toMatchObject({ code: 'guest-protocol' });
      expect(rig.heard).toEqual([]);
    },
  );

  test('a command is sent with the additions of the relay, which apply to allowed services only', async () => {
    const rig = await fakeGuest(({ stream }) => {
      stream.close({ code: 0 });
      return {};
    });
    const asked: string[] = [];
    const { connection } = await newClient(rig.guest, (service, body) => {
      asked.push(service);
      return { ...(body as object), cwd: '/added' };
    });
    await connection.exec({ argv: ['a'], cwd: '/', stdin: false }).exit;
    await connection.request('shutdown', {}).catch(() => {});
    expect(rig.heard.map(({ body }) => body)).toEqual([{ argv: ['a'], cwd: '/added', stdin: false }]);
    expect(asked).toEqual(['exec']);
  });

  test('ping is', async () => {
    const rig = await fakeGuest(({ stream }) => {
      stream.close({ ok: true });
      return {};
    });
    const { connection } = await newClient(rig.guest);
    expect(await connection.request('ping', {})).toEqual({ ok: true });
  });

  test('invalid input closes the connection of that client only', async () => {
    const rig = await fakeGuest(echo);
    const [bad, good] = [await newClient(rig.guest), await newClient(rig.guest)];
    const child = good.connection.exec(REQUEST);
    bad.end.write(encode(TYPE.open, 1, Buffer.from('{"service":')));
    await bad.relay;
    child.stdin.end('well');
    expect(await outcomeOf(child)).toMatchObject({ code: 3, stdout: 'well' });
  });
});
