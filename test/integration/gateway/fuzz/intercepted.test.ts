import { createServer } from 'node:http';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { request, startIntercept } from '../proxy/intercept-rig.ts';
import { almost, askAndLeave, asLongAsAllowed } from './bytes.ts';

const SEEDS = [
  request('/v1/a'),
  request('/v1/a') + request('/v1/b'),
  request('/v2/a'),
  `${request('/v1/a', 'Content-Length: 4\r\n', 'api.ok.test', 'POST')}abcd`,
  `${request('/v1/a', 'Transfer-Encoding: chunked\r\n', 'api.ok.test', 'POST')}4\r\nabcd\r\n0\r\n\r\n`,
  request('https://api.ok.test/v1/a'),
  request('/v1/ws', 'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'),
];
const TOKENS = [
  '\r\n',
  '\n',
  '\0',
  ' ',
  '..',
  '%2e',
  '%2f',
  '//',
  ';',
  '\\',
  '/v2/',
  '/v1/',
  'evil.test',
  'Host: evil.test\r\n',
  'Content-Length: 9\r\n',
  'Transfer-Encoding: chunked\r\n',
  'DELETE ',
  'GET /v2/x HTTP/1.1\r\nHost: api.ok.test\r\n\r\n',
  'GET https://evil.test/v1/a HTTP/1.1\r\n',
];
const message = almost(SEEDS, TOKENS);

test('arbitrary bytes in an intercepted tunnel reach the upstream only as requests for its own host that a rule covers', async () => {
  // As the upstream's own parser reads them: what it takes for a request is one.
  const seen: { method: string; url: string; host: string | undefined }[] = [];
  const reader = createServer((message, response) => {
    seen.push({ method: message.method ?? '', url: message.url ?? '', host: message.headers.host });
    message.resume().on('end', () => response.end('ok'));
  });
  onTestFinished(() => void reader.close());
  await using one = await startIntercept({
    serve: (socket) => void reader.emit('connection', socket),
    limits: { headMs: 2_000, keepAliveMs: 2_000, idleMs: 2_000, requestsPerSecond: 1_000_000, connections: 10_000 },
  });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 6 }), async (messages) => {
      await Promise.all(messages.map(async (bytes) => askAndLeave(await one.inside(), bytes)));
      for (const { method, url, host } of seen.splice(0)) {
        expect(['GET', 'POST']).toContain(method);
        expect(url).toMatch(/^\/v1\//);
        expect(url.split('?')[0]).not.toMatch(/\.\.(\/|$)|\/\/|;|\\|%2[ef]/i);
        expect(host).toBe('api.ok.test');
      }
      expect(one.rig.lookups.every((name) => name === 'api.ok.test')).toBe(true);
    }),
    asLongAsAllowed(20_260_102),
  );
  const records = one.rig.records();
  expect(records.filter(({ verdict }) => verdict === 'allow').length).toBeGreaterThan(50);
  expect(records.filter(({ verdict }) => verdict === 'deny').length).toBeGreaterThan(50);
});
