/** Sends malformed requests to the daemon's API. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
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

function send(path: string, body: string, headers = {}): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath: home.daemon.socket, method: 'POST', path, headers, agent: false }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, text });
    })
      .on('error', reject)
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
  ['an unknown key', '/v1/gc', '{"dryRun":true,"all":true}', 'unknown key'],
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

test.each(['/', '/v1', '/v2/plan', '/v1/__proto__', '/v1/constructor', '/v1/sandboxes/x/toString'])(
  '%s is an unknown address',
  async (path) => {
    expect((await send(path, '{}')).status).toBe(404);
  },
);

test('a client of a different build is answered 409, and nothing is done', async () => {
  const { status } = await send('/v1/gc', '{"dryRun":true}', { 'sbx-build': 'another' });
  expect({ status, calls }).toEqual({ status: 409, calls: [] });
});

test('a valid body reaches the service', async () => {
  expect((await send('/v1/plan', JSON.stringify(PROJECT))).status).toBe(200);
  expect(calls).toEqual([PROJECT]);
});

test('only the user may open the socket', () => {
  expect(statSync(home.daemon.socket).mode & 0o777).toBe(0o600);
});
