/** Three seconds of seeded noise. A failure is repeated with its seed. */
import { expect, test } from 'vitest';
import { LIMITS } from '../../../lib/gateway/door.ts';
import { clientHello, connectTo, rig } from './door-rig.ts';

const SEED = 20_240_607;
const MS = 1_500;

/** mulberry32 */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const WORDS = ['CONNECT ', 'GET ', 'http://', 'evil.test', '127.0.0.1', '[::1]', ':443', ':9000', ' HTTP/1.1', '\r\n'];
const MORE = ['\r\n\r\n', 'Host: ', 'Content-Length: 5', 'Transfer-Encoding: chunked', '\0', '%2e', '@', '\n', '\xff'];

test('random bytes never crash the door, and nothing of them is resolved or dialled', async () => {
  await using r = await rig({ limits: { ...LIMITS, headMs: 200 } });
  const random = randomFrom(SEED);
  const words = [...WORDS, ...MORE];
  const noise = () =>
    Array.from({ length: random(16) }, () =>
      random(2) === 0 ? (words[random(words.length)] ?? '') : String.fromCharCode(random(256), random(256)),
    ).join('');
  for (const end = Date.now() + MS; Date.now() < end; )
    await Promise.all(Array.from({ length: 32 }, () => r.send([noise(), noise()], 10)));
  expect([r.resolved, r.dialled, r.upstream]).toEqual([[], [], []]);
  expect(await r.send(connectTo('evil.test:443'))).toMatch(/^HTTP\/1.1 403 /);
});

test('requests with bytes changed at random reach only what the policy allows', async () => {
  await using r = await rig({ limits: { ...LIMITS, headMs: 200 } });
  const random = randomFrom(SEED + 1);
  const good = [
    Buffer.concat([Buffer.from(connectTo('api.ok.test:443')), clientHello('api.ok.test')]),
    Buffer.from(connectTo('bad.wild.test:443')),
    Buffer.from(
      'POST http://api.ok.test/v1 HTTP/1.1\r\nHost: api.ok.test\r\nContent-Length: 3\r\nConnection: x\r\n\r\nabcGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n',
    ),
    Buffer.from(
      'POST http://api.ok.test/ HTTP/1.1\r\nHost: api.ok.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX',
    ),
  ];
  const mutant = () => {
    const bytes = Buffer.from(good[random(good.length)] ?? '');
    for (let times = random(3); times >= 0; times -= 1) bytes[random(bytes.length)] = random(256);
    const at = random(bytes.length);
    return [bytes.subarray(0, at), bytes.subarray(at)];
  };
  for (const end = Date.now() + MS; Date.now() < end; )
    await Promise.all(Array.from({ length: 32 }, () => r.send(mutant(), 10)));
  for (const name of r.resolved) expect(name).toMatch(/^(api\.ok\.test|[a-z0-9_-]+\.wild\.test)$/);
  expect(r.resolved).not.toContain('bad.wild.test');
  for (const { verdict, host, port } of r.audit())
    if (verdict === 'allow') expect([`api.ok.test:443`, 'api.ok.test:80']).toContain(`${host}:${port}`);
  expect(await r.send(connectTo('evil.test:443'))).toMatch(/^HTTP\/1.1 403 /);
});
