/** The world of the doubles itself, and that the gateway lives in it as it would outside: by the variables of its environment alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostTrust } from '../../../lib/gateway/tls/trust.ts';
import { createDialer } from '../../../lib/gateway/upstream/dial.ts';
import { proxySettings } from '../../../lib/gateway/upstream/proxy-settings.ts';
import { anthropic } from '../../doubles/anthropic.ts';
import { openai } from '../../doubles/openai.ts';
import { startWorld, type World } from '../../doubles/world.ts';
import { type InterceptRig, request, startIntercept } from '../gateway/proxy/intercept-rig.ts';
import { rule } from '../gateway/rig.ts';
import { ask, SCRIPT, secure, tunnel } from './client.ts';

const folder = mkdtempSync(join(tmpdir(), 'sbx-world-'));
let world: World;
beforeAll(async () => {
  world = await startWorld({
    script: SCRIPT,
    doubles: [anthropic, openai],
    folder,
    denies: (host) => host.endsWith('.denied.test'),
  });
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test('an endpoint that a double does not have is an error in the words of its API, and stands in the book', async () => {
  const asked = { path: '/v1/nothing', method: 'GET', headers: { authorization: 'Bearer k' } };
  const one = await ask(world, { host: 'api.anthropic.com', ...asked });
  expect(one.status).toBe(404);
  expect(JSON.parse(one.text)).toMatchObject({ type: 'error', error: { type: 'not_found_error' } });
  const two = await ask(world, { host: 'api.openai.com', ...asked });
  expect(JSON.parse(two.text)).toMatchObject({ error: { type: 'invalid_request_error' } });
  expect(world.seen.map(({ double, sni, host, path, status }) => ({ double, sni, host, path, status }))).toEqual([
    { double: 'anthropic', sni: 'api.anthropic.com', host: 'api.anthropic.com', path: '/v1/nothing', status: 404 },
    { double: 'openai', sni: 'api.openai.com', host: 'api.openai.com', path: '/v1/nothing', status: 404 },
  ]);
  expect(world.seen[0]?.headers['authorization']).toBe('Bearer k');
});

test('who does not trust the authority of the world does not speak to it', async () => {
  await expect(secure(world, 'api.openai.com', undefined)).rejects.toThrow(/certificate/);
});

test('a denied host is refused, every other is reached where it is', async () => {
  await expect(tunnel(world, 'a.denied.test:443')).rejects.toThrow('403');
  const server = createServer((socket) => socket.end('the real one'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = (server.address() as AddressInfo).port;
  const parts: Buffer[] = [];
  for await (const part of await tunnel(world, `127.0.0.1:${port}`)) parts.push(part as Buffer);
  server.close();
  expect(Buffer.concat(parts).toString()).toBe('the real one');
  expect(world.asked.slice(-2)).toEqual(['a.denied.test:443', `127.0.0.1:${port}`]);
});

const POLICY = {
  allow: [rule('api.anthropic.com:443')],
  deny: [],
  http: [{ host: 'api.anthropic.com', methods: ['POST'], paths: ['/v1/**'], file: '/p/sandbox.toml', line: 3 }],
};

const POST = `${request('/v1/messages', 'Content-Length: 2\r\n', 'api.anthropic.com', 'POST')}{}`;

function gateway(trusting: NodeJS.ProcessEnv): Promise<InterceptRig> {
  return startIntercept({
    policy: POLICY,
    dialer: () => createDialer(proxySettings(world.environment)),
    trust: hostTrust(trusting)(),
  });
}

test('a gateway with the environment of the world reaches a double under its real name, by verified TLS', async () => {
  await using egress = await gateway(world.environment);
  const client = await egress.inside('api.anthropic.com');
  client.send(POST);
  expect(await client.until(SCRIPT.answer)).toMatch(/^HTTP\/1\.1 200 /);
  expect(world.seen.at(-1)).toMatchObject({ double: 'anthropic', sni: 'api.anthropic.com', path: '/v1/messages' });
  // The name went to the proxy of the environment: nothing was resolved here.
  expect(egress.rig.lookups).toEqual([]);
});

test('without the trust of that environment the same gateway refuses', async () => {
  const before = world.seen.length;
  await using egress = await gateway({});
  const client = await egress.inside('api.anthropic.com');
  client.send(POST);
  expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 502 /);
  expect(world.seen).toHaveLength(before);
});
