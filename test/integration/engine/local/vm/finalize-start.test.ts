/**
 * A guest that becomes a sandbox, or does not: its agent and its set-up helper are test doubles that speak the real protocols, or say
 * nothing. The clock stands still but where a test moves it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Guests } from '../../../../../lib/engine/local/guests/connections.ts';
import type { StepDeps } from '../../../../../lib/engine/local/steps/step-deps.ts';
import { finalizeStart } from '../../../../../lib/engine/local/vm/finalize-start.ts';
import { DISCARD } from '../../../../../lib/guest/protocol/mux.ts';
import { pipeOf } from '../../../../../lib/guest/protocol/pipe.ts';
import { createSession } from '../../../../../lib/guest/protocol/server-session.ts';
import { type Home, homeOf, instancePaths } from '../../../../../lib/paths.ts';
import { listenAt } from '../../../../../lib/system/unix-socket.ts';
import { spec } from '../../../../unit/plan/spec.ts';

const ID = 'shop-1';
const VM = { pid: 7, startTime: '1', accel: 'tcg', startedAt: '' } as const;

let home: Home;
let guests: Guests;
let servers: Server[];
/** Connections of the host, by who listens */
let open: Record<'agent' | 'helper', Set<Socket>>;
/** Asked of the helper */
let heard: string;
/** What a sandbox has that a mere guest has not */
let done: string[];
beforeEach(() => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-set-')) });
  mkdirSync(instancePaths(home, ID).run, { recursive: true });
  guests = new Guests(() => {});
  [servers, heard, done, open] = [[], '', [], { agent: new Set(), helper: new Set() }];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await guests[Symbol.asyncDispose]();
  for (const socket of [...open.agent, ...open.helper]) socket.destroy();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  rmSync(home.root, { recursive: true });
});

type Talk = (socket: Socket) => void;

async function listen(who: 'agent' | 'helper', talk: Talk): Promise<void> {
  const paths = instancePaths(home, ID);
  const server = createServer((socket) => {
    open[who].add(socket.on('error', () => {}));
    socket.on('close', () => open[who].delete(socket)).resume();
    talk(socket);
  });
  servers.push(server);
  await listenAt(server, who === 'agent' ? paths.agent : paths.setup);
}

const silent: Talk = () => {};
const leaves: Talk = (socket) => void socket.destroy();
const agentAnswers: Talk = (socket) => {
  const session = createSession(pipeOf(socket), () => DISCARD);
  socket.on('data', (chunk) => session.push(chunk));
};
const helperSays =
  (answer: string): Talk =>
  (socket) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.endsWith('\n')) socket.write(`${answer}\n`);
    });
  };

interface Guest {
  agent: Talk;
  helper: Talk;
  fresh?: boolean;
  signal?: AbortSignal;
}

/** `finalizeStart`, with the host's side as it is. */
async function assignIdentity({ agent, helper, fresh = true, signal }: Guest): Promise<void> {
  await listen('agent', agent);
  await listen('helper', helper);
  const deps = {
    home,
    guests,
    gateway: { caOf: () => undefined },
    credentials: { environment: async () => ({}) },
    records: { update: async () => void done.push('written down') },
  } as unknown as StepDeps;
  const context = { id: ID, signal: signal ?? new AbortController().signal, onProgress: () => {}, onLine: () => {} };
  const workspace = { link: '', guestMounts: [] };
  await finalizeStart(deps, context, { spec: spec(), vm: VM, workspace, fresh, reached: { generation: 1, boot: 1 } });
}

/** It stays a mere guest, and nothing waits for it any more. An agent that has answered keeps its connection. */
async function expectNoSandbox(): Promise<void> {
  expect(done).toEqual([]);
  const kept = guests.get(ID) === undefined ? 0 : 1;
  await until(() => open.agent.size === kept && open.helper.size === 0);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

const bothReached = () => until(() => open.agent.size === 1 && open.helper.size === 1);

test.each([true, false])('a guest whose parts answer is a sandbox (fresh: %s)', async (fresh) => {
  await assignIdentity({ agent: agentAnswers, helper: helperSays('ok'), fresh });
  expect(heard).toMatch(/^last;entropy /);
  expect(done).toEqual(['written down']);
  expect(guests.get(ID)).toBeDefined();
});

const NO_AGENT = {
  code: 'guest-failed',
  message: 'the sandbox does not answer',
  why: 'its agent did not answer within 30 s',
};
const NO_HELPER = {
  code: 'guest-failed',
  message: 'the sandbox could not be set up',
  why: 'the setup helper did not answer in time',
};

test.each([
  ['agent', { agent: silent, helper: helperSays('ok') }, NO_AGENT],
  ['agent, after a boot,', { agent: silent, helper: helperSays('ok'), fresh: false }, NO_AGENT],
  ['helper', { agent: agentAnswers, helper: silent }, NO_HELPER],
])('where the %s says nothing, it is the one that is named', async (_, guest, error) => {
  const settled = expect(assignIdentity(guest)).rejects.toMatchObject(error);
  let over = false;
  void settled.then(() => {
    over = true;
  });
  await bothReached();
  await vi.advanceTimersByTimeAsync(29_999);
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await settled;
  await expectNoSandbox();
});

// The clock stands: whoever waits for the other one waits for ever.
test.each([
  ['what the helper refuses', helperSays('bind /x /y: no'), { code: 'workspace', why: 'bind /x /y: no' }],
  ['a helper that leaves', leaves, { code: 'guest-failed', message: NO_HELPER.message }],
])('%s is told at once: an agent that says nothing is not waited for', async (_, helper, error) => {
  await expect(assignIdentity({ agent: silent, helper })).rejects.toMatchObject(error);
  await expectNoSandbox();
});

test('an agent that leaves is told at once: a helper that says nothing is not waited for', async () => {
  await expect(assignIdentity({ agent: leaves, helper: silent })).rejects.toMatchObject({
    code: 'guest-failed',
    message: NO_AGENT.message,
  });
  await expectNoSandbox();
});

test('whoever gives the start up hears why, and neither part is waited for', async () => {
  const given = new AbortController();
  const settled = expect(assignIdentity({ agent: silent, helper: silent, signal: given.signal })).rejects.toThrow(
    'enough',
  );
  await bothReached();
  given.abort(new Error('enough'));
  await settled;
  await expectNoSandbox();
});
