/** Sends malformed requests to the daemon's API. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DaemonService } from '../../../lib/api/contract.ts';
import { serve } from '../../../lib/daemon/server.ts';
import { type Home, homeOf } from '../../../lib/paths.ts';

const PROJECT = { cwd: '/p', env: {} };
const SECRET = { name: 'a', scope: { kind: 'all' }, source: { kind: 'value' } };

let home: Home;
let server: AsyncDisposable;
let calls: unknown[];
beforeEach(async () => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-s-')) });
  calls = [];
  const record = async (body: unknown) => void calls.push(body);
  const methods = { plan: record, apply: record, approve: record, setSecret: record, removeSecret: record, gc: record };
  const service = { build: 'mine', ...methods, allow: (_id: string, body: unknown) => record(body) };
  server = await serve(home, service as unknown as DaemonService);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home.root, { recursive: true, force: true });
});

function ask(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest {
  return httpRequest({ socketPath: home.daemon.socket, agent: false, ...options }, onResponse);
}

interface Sending extends Pick<RequestOptions, 'method' | 'agent' | 'headers'> {
  onSocket?: (socket: Socket) => void;
}

function send(
  path: string,
  body: string,
  { onSocket = () => {}, ...options }: Sending = {},
): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    ask({ method: 'POST', path, ...options }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, text });
    })
      .on('error', reject)
      .on('socket', onSocket)
      .end(body);
  });
}

test.each([
  ['malformed JSON', '/v1/plan', '{', 'not JSON'],
  ['no body', '/v1/gc', '', 'not JSON'],
  ['null', '/v1/plan', 'null', 'body: '],
  ['a missing field', '/v1/plan', '{}', 'cwd: '],
  ['a whole spec as the project', '/v1/apply', '{"project":{"name":"a","dir":"/","sandboxes":[]}}', 'cwd: '],
  ['a wrong type in a list', '/v1/plan', JSON.stringify({ ...PROJECT, only: [1] }), 'only.0: '],
  ['a relative folder', '/v1/plan', '{"cwd":"p","env":{}}', 'cwd: '],
  ['an unknown key', '/v1/gc', '{"dryRun":true,"every":true}', 'unknown key'],
  ['a string for a boolean', '/v1/gc', '{"dryRun":"no"}', 'dryRun: '],
  ['a wrong scope', '/v1/secret-removal', '{"name":"a","scope":{"kind":"host"}}', 'scope.kind: '],
  ['a negative duration', '/v1/sandboxes/x/allow', '{"rules":[],"seconds":-1}', 'seconds: '],
  ['no specs to approve', '/v1/approve', '{"before":[],"after":1}', 'before: '],
])('%s is refused with the place, and nothing is done', async (_what, path, body, place) => {
  const { status, text } = await send(path, body);
  expect({ status, calls }).toEqual({ status: 400, calls: [] });
  expect(JSON.parse(text).error.code).toBe('usage');
  expect(text).toContain(place);
});

test('a wrong body never appears in the answer: it may be a secret', async () => {
  const { status, text } = await send('/v1/secrets', JSON.stringify({ ...SECRET, value: ['hunter2'] }));
  expect(status).toBe(400);
  expect(text).not.toContain('hunter2');
});

test('__proto__ in a body pollutes no prototype', async () => {
  const { status } = await send('/v1/gc', '{"dryRun":true,"__proto__":{"polluted":true}}');
  expect([200, 400]).toContain(status);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  expect(calls.every((body) => (body as { polluted?: boolean }).polluted === undefined)).toBe(true);
});

test('a body above 16 MiB is refused', async () => {
  const outcome = await send('/v1/plan', ' '.repeat(16 * 1024 * 1024 + 1)).catch(() => 'closed');
  expect(outcome === 'closed' || (outcome as { status: number }).status === 400).toBe(true);
  expect(calls).toEqual([]);
});

test('a chunked body above 16 MiB is refused, though it declares no length', async () => {
  const sent = { headers: [] as string[] };
  const outcome = await new Promise<number | undefined | 'closed'>((resolve) => {
    const asked = ask({ method: 'POST', path: '/v1/plan' }, (response) => resolve(response.resume().statusCode));
    asked.on('error', () => resolve('closed'));
    const mebibyte = Buffer.alloc(1024 * 1024, ' ');
    for (let count = 0; count < 17; count += 1) asked.write(mebibyte);
    sent.headers = asked.getHeaderNames();
    asked.end(JSON.stringify(PROJECT));
  });
  expect(sent.headers).not.toContain('content-length');
  expect([400, 'closed']).toContain(outcome);
  expect(calls).toEqual([]);
});

test.each(['/', '/v1', '/v2/plan', '/v1/__proto__', '/v1/constructor', '/v1/sandboxes/x/toString'])(
  '%s is an unknown address',
  async (path) => {
    expect((await send(path, '{}')).status).toBe(404);
  },
);

test.each([
  ['GET', '/v1/plan'],
  ['PUT', '/v1/plan'],
  ['DELETE', '/v1/secrets'],
  ['POST', '/v1/status'],
])('%s is not a method of %s', async (method, path) => {
  const { status, text } = await send(path, '', { method });
  expect({ status, calls }).toEqual({ status: 404, calls: [] });
  expect(JSON.parse(text).error.code).toBe('not-found');
});

test.each([
  ['a valid one', JSON.stringify(PROJECT), 200],
  ['a refused one', '{', 400],
])('a connection serves a second request after %s', async (_what, first, status) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const connections = new Set<Socket>();
  const onSocket = (socket: Socket) => void connections.add(socket);
  expect((await send('/v1/plan', first, { agent, onSocket })).status).toBe(status);
  expect((await send('/v1/gc', '{"dryRun":true}', { agent, onSocket })).status).toBe(200);
  agent.destroy();
  expect(connections.size).toBe(1);
  expect(calls.at(-1)).toEqual({ dryRun: true });
});

test('a client of a different build is answered 409, and nothing is done', async () => {
  const { status } = await send('/v1/gc', '{"dryRun":true}', { headers: { 'sbx-build': 'another' } });
  expect({ status, calls }).toEqual({ status: 409, calls: [] });
});

test('a valid body reaches the service', async () => {
  expect((await send('/v1/plan', JSON.stringify(PROJECT))).status).toBe(200);
  expect(calls).toEqual([PROJECT]);
});

test('only the user may open the socket', () => {
  expect(statSync(home.daemon.socket).mode & 0o777).toBe(0o600);
});
