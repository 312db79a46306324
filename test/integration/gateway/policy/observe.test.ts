/** Mode `mode observe`: what no rule covers goes out and is written down; what must stay shut stays shut. */
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../../../lib/gateway/policy/policy.ts';
import type { PolicyInput } from '../../../../lib/gateway/policy/types.ts';
import { answering, CONNECT, GET, OWN_LAN, POLICY, PUBLIC, rule, startRig } from '../rig.ts';

const CLOSE = 'Connection: close\r\n';
const OBSERVE: PolicyInput = { ...POLICY, mode: 'observe' };

describe('mode observe', () => {
  test('allows a host without a rule, and records the verdict of mode enforce', async () => {
    await using rig = await startRig({ policy: OBSERVE, upstream: answering() });
    expect(await rig.ask(GET('http://new.test/path', CLOSE))).toMatch(/^HTTP\/1\.1 200 /);
    expect(rig.dials).toEqual([`${PUBLIC}:80`]);
    expect(rig.records()).toMatchObject([
      { verdict: 'observe', reason: 'default-deny', host: 'new.test', method: 'GET', path: '/path', address: PUBLIC },
      { verdict: 'closed', host: 'new.test' },
    ]);
    expect(rig.records()[0]).not.toHaveProperty('rule');
  });

  test('records what a rule allows as allowed, with the rule', async () => {
    await using rig = await startRig({ policy: OBSERVE, upstream: answering() });
    await rig.ask(GET('http://api.ok.test/', CLOSE));
    expect(rig.records()[0]).toMatchObject({ verdict: 'allow', rule: { text: 'api.ok.test:80', line: 7 } });
  });

  test('is what allows it: mode enforce denies the same request', async () => {
    await using rig = await startRig({ upstream: answering() });
    expect(await rig.ask(GET('http://new.test/path', CLOSE))).toMatch(/^HTTP\/1\.1 403 /);
    expect(rig.dials).toEqual([]);
  });

  test.each([
    ['a deny rule', 'http://bad.wild.test/', 'deny-rule', undefined],
    ['a name that leads to a private address', 'http://inner.test/', 'private-address', '10.0.0.5'],
    ['a name that leads to this host', 'http://self.test/', 'private-address', OWN_LAN],
    ['a private address', 'http://192.168.1.1/', 'private-address', '192.168.1.1'],
    ['loopback', 'http://127.0.0.1:8080/', 'private-address', '127.0.0.1'],
    ['cloud metadata', 'http://169.254.169.254/', 'private-address', '169.254.169.254'],
    ['an odd address', 'http://0x7f.1/', 'odd-address', undefined],
  ])('keeps denying %s', async (_name, url, reason, address) => {
    const addresses = { 'inner.test': ['10.0.0.5'], 'self.test': [OWN_LAN] };
    await using rig = await startRig({ policy: OBSERVE, upstream: answering(), addresses });
    expect(await rig.ask(GET(url, CLOSE))).toMatch(/^HTTP\/1\.1 403 /);
    expect(rig.dials).toEqual([]);
    expect(rig.records()).toMatchObject([{ verdict: 'deny', reason, ...(address === undefined ? {} : { address }) }]);
  });

  test('lets nothing out without a record', async () => {
    const audit = { ready: () => true, write: () => false, close: () => {} };
    await using rig = await startRig({ policy: OBSERVE, upstream: answering(), audit });
    expect(await rig.ask(GET('http://new.test/', CLOSE))).toContain('the audit log cannot be written');
    expect(rig.dials).toEqual([]);
  });

  test('is applied at once; back in mode enforce, connections that were only observed are cut', async () => {
    await using rig = await startRig();
    const { listener } = rig;
    expect(await rig.ask(CONNECT('new.test:22'))).toMatch(/^HTTP\/1\.1 403 /);
    listener.setPolicy(compilePolicy(OBSERVE));
    const client = await rig.client();
    client.send(CONNECT('new.test:22'));
    await client.until('hello ');
    listener.setPolicy(compilePolicy(POLICY));
    await client.end();
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed', host: 'new.test' });
  });

  test('is part of the hash of the policy', () => {
    expect(compilePolicy(OBSERVE).hash).not.toBe(compilePolicy(POLICY).hash);
    expect(compilePolicy({ ...POLICY, mode: 'enforce' }).hash).toBe(compilePolicy(POLICY).hash);
  });

  test('does not pass a name without a rule to a host proxy that resolves names itself', async () => {
    await using rig = await startRig({
      policy: { ...OBSERVE, allow: [rule('named.test:80')] },
      addresses: { 'new.test': ['10.0.0.5'] },
      dialer: () => ({ resolves: () => true, dial: () => Promise.reject(new Error('not in this test')) }),
    });
    expect(await rig.ask(GET('http://new.test/', CLOSE))).toMatch(/^HTTP\/1\.1 403 /);
    await rig.ask(GET('http://named.test/', CLOSE));
    expect(rig.lookups).toEqual(['new.test']);
  });
});
