/**
 * A guest whose agent says nothing, rubbish, or hangs up: a command fails with a clear error, and its VM is still stopped, and all of it removed.
 * The VM and what belongs to it are test doubles; the port is a real socket.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Guests } from '../../../../../lib/engine/local/guests/connections.ts';
import { destroy } from '../../../../../lib/engine/local/steps/destroy.ts';
import type { StepDeps } from '../../../../../lib/engine/local/steps/step-deps.ts';
import { stop } from '../../../../../lib/engine/local/steps/stop.ts';
import { DISCARD } from '../../../../../lib/guest/protocol/mux.ts';
import { pipeOf } from '../../../../../lib/guest/protocol/pipe.ts';
import { createSession } from '../../../../../lib/guest/protocol/server-session.ts';
import { type Home, homeOf, instancePaths } from '../../../../../lib/paths.ts';
import { listenAt } from '../../../../../lib/system/unix-socket.ts';

const ID = 'shop-1';
const CONTEXT = { id: ID, signal: new AbortController().signal, onProgress: () => {}, onLine: () => {} };
const EXEC = { argv: ['true'], cwd: '/', env: {}, user: 'root', stdin: false };

let home: Home;
let guests: Guests;
let server: Server;
const sockets = new Set<Socket>();
/** What was done to the sandbox; its VM runs until it was destroyed */
let done: string[];

beforeEach(() => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-brk-')) });
  mkdirSync(instancePaths(home, ID).run, { recursive: true });
  guests = new Guests(() => {});
  done = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await guests[Symbol.asyncDispose]();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(home.root, { recursive: true });
});

async function port(talk: (socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).resume());
    talk(socket);
  });
  await listenAt(server, instancePaths(home, ID).agent);
}

const deps = () =>
  ({
    home,
    guests,
    driver: {
      find: () => (done.includes('VM destroyed') ? undefined : { pid: 7 }),
      destroy: async () => void done.push('VM destroyed'),
    },
    workspaces: { detach: async () => void done.push('workspace detached') },
    egress: { close: async () => void done.push('network closed') },
    credentials: { forget: async () => void done.push('placeholders forgotten') },
    records: { remove: () => void done.push('record removed') },
  }) as unknown as StepDeps;

const connect = (timeoutMs = 200) => guests.connect(ID, instancePaths(home, ID).agent, { fresh: false, timeoutMs });

const ALL = ['VM destroyed', 'workspace detached', 'network closed', 'placeholders forgotten', 'record removed'];

describe.each<[string, (socket: Socket) => void]>([
  ['says nothing', () => {}],
  ['speaks rubbish', (socket) => void socket.write(randomBytes(100_000))],
  ['speaks zeros', (socket) => void socket.write(Buffer.alloc(100_000))],
  ['hangs up', (socket) => void socket.destroy()],
])('a guest that %s before its first answer', (_what, talk) => {
  beforeEach(() => port(talk));

  test('a command has a clear error', async () => {
    await expect(connect()).rejects.toMatchObject({ code: 'guest-failed', message: 'the sandbox does not answer' });
  });

  test('it is stopped and removed', async () => {
    await connect().catch(() => {});
    await stop(deps(), { action: 'stop', sandbox: ID }, CONTEXT);
    expect(done).toEqual(ALL.slice(0, 2));
    done.splice(0);
    await destroy(deps(), { action: 'destroy', sandbox: ID }, CONTEXT);
    expect(done).toEqual(ALL);
  });
});

describe('a guest that answered, and then', () => {
  let peer: Socket | undefined;
  beforeEach(async () => {
    await port((socket) => {
      peer = socket;
      const session = createSession(pipeOf(socket), () => DISCARD);
      socket.on('data', (chunk) => session.push(chunk));
    });
  });

  test('hangs up: the command that runs fails, and the sandbox is removed', async () => {
    const guest = await connect(10_000);
    const child = guest.exec(EXEC);
    peer?.destroy();
    await expect(child.exit).rejects.toMatchObject({ code: 'guest-protocol' });
    await destroy(deps(), { action: 'destroy', sandbox: ID }, CONTEXT);
    expect(done).toEqual(ALL);
  });

  test('says nothing to the request to power off: its VM is ended all the same', async () => {
    await connect(10_000);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const removing = destroy(deps(), { action: 'destroy', sandbox: ID }, CONTEXT);
    await vi.runAllTimersAsync();
    await vi.waitFor(async () => {
      await vi.runAllTimersAsync();
      expect(done).toEqual(ALL);
    });
    await removing;
  });
});
