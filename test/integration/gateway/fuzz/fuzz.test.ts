import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { answering, CONNECT, GET, PUBLIC, startRig } from '../rig.ts';
import { almost, askAndLeave, asLongAsAllowed } from './bytes.ts';

const SEED = 20_260_101;

const HELLO = helloBytes({ sni: 'api.ok.test' }).toString('latin1');
const SEEDS = [
  CONNECT('api.ok.test:443') + HELLO,
  CONNECT('evil.test:443') + HELLO,
  CONNECT('api.ok.test:22', 'User-Agent: x\r\n'),
  GET('http://api.ok.test/v1/x?y', 'Connection: close\r\n'),
  GET('http://evil.test/'),
  'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 4\r\n\r\nabcd',
  'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n',
];
const TOKENS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '@',
  '#',
  '%00',
  '\\',
  '/',
  '..',
  'evil.test',
  '127.0.0.1',
  '[::1]',
  'Host: evil.test\r\n',
  'Content-Length: 9\r\n',
  'Transfer-Encoding: chunked\r\n',
  'HTTP/1.1',
  '\x16\x03\x01',
  '\xff',
  '443',
  '-1',
  'CONNECT ',
  'GET http://evil.test/ HTTP/1.1\r\n',
];

const message = almost(SEEDS, TOKENS);

describe('arbitrary bytes of a guest', () => {
  test('reach only allowed hosts; each verdict has its record, and the listener keeps serving', async () => {
    await using rig = await startRig({
      upstream: answering(),
      limits: { headMs: 60, keepAliveMs: 60, idleMs: 60, requestsPerSecond: 1_000_000, connections: 10_000 },
    });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
        await Promise.all(messages.map(async (bytes) => askAndLeave(await rig.client(), bytes)));
        expect(new Set(rig.lookups)).toSatisfy((names: Set<string>) => [...names].every(isAllowed));
        expect(new Set(rig.dials.map((dial) => dial.split(':')[0]))).toSatisfy((all: Set<string>) =>
          [...all].every((address) => address === PUBLIC),
        );
      }),
      asLongAsAllowed(SEED),
    );
    const records = rig.records();
    expect(records.filter(({ verdict }) => verdict === 'allow').every(({ host }) => isAllowed(host))).toBe(true);
    expect(records.filter(({ verdict }) => verdict === 'allow')).toHaveLength(rig.dials.length);
    expect(records.length).toBeGreaterThan(200);
    expect(await rig.ask(GET('http://api.ok.test/', 'Connection: close\r\n'))).toContain('200 OK');
    while (rig.listener.stats.active > 0) await sleep(5);
  });
});

test('the host of the verdict is the host that is looked up, recorded and sent to the upstream', async () => {
  await using rig = await startRig({ upstream: answering() });
  const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?$/);
  await fc.assert(
    fc.asyncProperty(label, fc.constantFrom('.wild.test', '.WILD.Test.', '.wild.test:80'), async (first, rest) => {
      const host = `${first}.wild.test`.toLowerCase();
      fc.pre(host !== 'bad.wild.test');
      await rig.ask(GET(`http://${first}${rest}/`, 'Connection: close\r\n'));
      expect(rig.lookups.at(-1)).toBe(host);
      expect(rig.records().at(-1)?.host).toBe(host);
      expect(rig.received().split('Host: ').at(-1)).toBe(`${host}\r\nConnection: close\r\n\r\n`);
    }),
    { numRuns: 100, seed: SEED },
  );
});

function isAllowed(host: string): boolean {
  return host === 'api.ok.test' || (/^[a-z0-9_-]+\.wild\.test$/.test(host) && host !== 'bad.wild.test');
}
