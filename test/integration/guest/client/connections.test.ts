import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { GuestConnection } from '../../../../lib/guest/client/connection.ts';
import { encodeData, encodeJson, hello, restartGreeting, TYPE } from '../../../../lib/guest/protocol/wire.ts';
import { ask, groupGone, groupMembers, outcomeOf, readUntil, sharedPipe, useAgent } from '../agent/agent-rig.ts';

const rig = useAgent();

describe('a client that goes away', () => {
  // Deaf to everything that can be ignored.
  const STUBBORN = 'trap "" HUP TERM INT; echo $$; sh -c "sleep 1000" & (sleep 1000) & while :; do sleep 1; done';

  test('ends its whole process group', async () => {
    const other = await rig.agent.connect();
    const child = other.exec(ask(['sh', '-c', STUBBORN]));
    child.exit.catch(() => {});
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    await sleep(100);
    expect(groupMembers(group).length).toBeGreaterThan(2);
    await other[Symbol.asyncDispose]();
    await expect(child.exit).rejects.toMatchObject({ code: 'guest-protocol' });
    expect(await groupGone(group, 5_000)).toBe(true);
  });

  test('the same with a terminal', async () => {
    const other = await rig.agent.connect();
    const tty = { cols: 80, rows: 24, term: 'xterm' };
    const child = other.exec(ask(['sh', '-c', STUBBORN], { tty, stdin: true }));
    child.exit.catch(() => {});
    const group = Number(await readUntil(child.stdout, /\d+\r\n/));
    await other[Symbol.asyncDispose]();
    expect(await groupGone(group, 5_000)).toBe(true);
  });

  test('disposing one command leaves the others', async () => {
    const child = rig.guest.exec(ask(['sh', '-c', STUBBORN]));
    const kept = rig.guest.exec(ask(['sh', '-c', 'read x; echo "kept $x"'], { stdin: true }));
    const group = Number(await readUntil(child.stdout, /\d+\n/));
    await child[Symbol.asyncDispose]();
    expect(await groupGone(group, 5_000)).toBe(true);
    kept.stdin.end('on\n');
    expect(await outcomeOf(kept)).toMatchObject({ code: 0, stdout: 'kept on\n' });
  });
});

describe('sessions after one another on the same pipe', () => {
  const limit = () => ({ signal: AbortSignal.timeout(20_000) });

  const frames = {
    data: encodeData(1, 0, Buffer.alloc(1000, 'x')),
    open: encodeJson(TYPE.open, 2, { service: 'exec', body: ask(['sleep', '1000']) }),
    control: encodeJson(TYPE.control, 1, { signal: 'SIGUSR1' }),
    'long open': encodeJson(TYPE.open, 2, { service: 'exec', body: ask(['echo', 'x'.repeat(70_000)]) }),
  };
  const cases = Object.keys(frames).flatMap((kind) =>
    [1, 5, 9, 10, 25, 500, 40_000].map((left) => ({ kind: kind as keyof typeof frames, left })),
  );

  test.each(cases.filter(({ kind, left }) => left < frames[kind].length))(
    'with $left bytes of a frame ($kind) left between',
    async ({ kind, left }) => {
      const pipe = await sharedPipe(rig.agent.socket);
      try {
        const firstEnd = pipe.client();
        const first = await GuestConnection.connect(firstEnd, limit());
        const child = first.exec(ask(['sh', '-c', 'echo $$; exec sleep 1000'], { stdin: true }));
        child.exit.catch(() => {});
        const group = Number(await readUntil(child.stdout, /\d+\n/));
        firstEnd.write(frames[kind].subarray(0, left));
        await first[Symbol.asyncDispose]();
        await using second = await GuestConnection.connect(pipe.client(), limit());
        expect(await outcomeOf(second.exec(ask(['echo', 'again'])))).toMatchObject({ code: 0, stdout: 'again\n' });
        // The first session's command is not the second's.
        expect(await groupGone(group, 5_000)).toBe(true);
      } finally {
        pipe.close();
      }
    },
  );

  test('while the first one was pouring out data', async () => {
    const pipe = await sharedPipe(rig.agent.socket);
    try {
      const first = await GuestConnection.connect(pipe.client(), limit());
      const flood = first.exec(ask(['cat', '/dev/zero']));
      flood.exit.catch(() => {});
      await readUntil(flood.stdout, /./s);
      await first[Symbol.asyncDispose]();
      await using second = await GuestConnection.connect(pipe.client(), limit());
      expect(await outcomeOf(second.exec(ask(['echo', 'again'])))).toMatchObject({ code: 0, stdout: 'again\n' });
    } finally {
      pipe.close();
    }
  });
});

describe('a request sent with the greeting', () => {
  test('is answered', async () => {
    await using guest = GuestConnection.open(connect(rig.agent.socket));
    expect(await outcomeOf(guest.exec(ask(['echo', 'at once'])))).toMatchObject({ code: 0, stdout: 'at once\n' });
  });

  test('gets no frames of an earlier session', async () => {
    await using stale = await listenOnce((socket, greeting) => {
      socket.write(encodeJson(TYPE.close, 1, { code: 99 }));
      socket.write(greeting);
      socket.write(encodeJson(TYPE.close, 1, { code: 7 }));
    });
    await using guest = GuestConnection.open(connect(stale.path));
    expect(await guest.exec(ask(['true'])).exit).toEqual({ code: 7 });
  });

  test('goes out at once, also where the answer to the greeting is waited for', async () => {
    const asked: number[] = [];
    await using slow = await listenOnce((socket, greeting, all) => {
      asked.push(all.length - greeting.length);
      socket.write(greeting);
      socket.write(encodeJson(TYPE.close, 1, { ok: true }));
    });
    let answer: Promise<unknown> = Promise.resolve();
    await using _guest = await GuestConnection.connectAsking(slow.path, AbortSignal.timeout(20_000), (guest) => {
      answer = guest.request('ping', {});
    });
    expect(await answer).toEqual({ ok: true });
    expect(asked).toEqual([encodeJson(TYPE.open, 1, { service: 'ping', body: {} }).length]);
  });

  test('ends with the connection when the agent restarts', async () => {
    await using restarted = await listenOnce((socket, greeting) => {
      // What an agent says as it begins is no answer, and ends nothing before there was one.
      socket.write(restartGreeting());
      socket.write(greeting);
      socket.write(encodeData(1, 1, Buffer.from('half of ')).subarray(0, 12));
      socket.write(restartGreeting());
    });
    await using guest = GuestConnection.open(connect(restarted.path));
    await expect(guest.exec(ask(['true'])).exit).rejects.toMatchObject({ code: 'guest-protocol' });
    await guest.closed;
  });

  test('ends when the wait for an answer is aborted', async () => {
    await using silent = await listenOnce(() => {});
    const patience = new AbortController();
    const asking = GuestConnection.connectAsking(silent.path, patience.signal, () =>
      patience.abort(new Error('enough')),
    );
    await expect(asking).rejects.toThrow('enough');
  });

  test('fails when the connection ends unanswered', async () => {
    await using deaf = await listenOnce((socket) => socket.destroy());
    await using guest = GuestConnection.open(connect(deaf.path));
    await expect(guest.request('ping', {})).rejects.toMatchObject({ code: 'guest-protocol' });
  });
});

/** Something that listens in an agent's place; `answer` gets the greeting as it came. */
async function listenOnce(
  answer: (socket: Socket, greeting: Buffer, all: Buffer) => void,
): Promise<{ path: string } & AsyncDisposable> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-o-'));
  const path = join(dir, 'agent');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    const length = hello(Buffer.alloc(16)).length;
    let all = Buffer.alloc(0);
    const hear = (data: Buffer) => {
      all = Buffer.concat([all, data]);
      // Every test here asks something.
      if (all.length <= length) return;
      socket.off('data', hear);
      answer(socket, all.subarray(0, length), all);
    };
    socket.on('data', hear);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
