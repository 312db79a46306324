import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../../../lib/gateway/policy/policy.ts';
import type { Enforcement } from '../../../../lib/gateway/request/enforcement.ts';
import { helloBytes } from '../../../unit/gateway/tls/hello-bytes.ts';
import { answering, CONNECT, GET, POLICY, PUBLIC, type Rig, rule, startRig } from '../rig.ts';

const NARROWER = compilePolicy({ ...POLICY, deny: [...POLICY.deny, rule('api.ok.test')] });
const BY_ADDRESS = compilePolicy({ ...POLICY, deny: [...POLICY.deny, rule(`${PUBLIC}/32`)] });

describe('a policy that became narrower', () => {
  test('denies the next request of a kept-alive connection', async () => {
    await using rig = await startRig({ upstream: answering() });
    const client = await rig.client();
    client.send(GET('http://api.ok.test/'));
    await client.until('\r\n\r\nok');
    rig.listener.setPolicy(NARROWER);
    client.send(GET('http://api.ok.test/', 'Connection: close\r\n'));
    expect(await client.end()).toContain('HTTP/1.1 403 ');
    expect(rig.dials).toHaveLength(1);
  });

  test.each([
    ['by name', NARROWER],
    ['by address', BY_ADDRESS],
  ])('cuts the tunnels that it denies %s, and no other', async (_name, policy) => {
    await using rig = await startRig({ addresses: { 'a.wild.test': ['93.184.215.99'] } });
    const cut = await tunnelTo(rig, 'api.ok.test');
    const kept = await tunnelTo(rig, 'a.wild.test');
    rig.listener.setPolicy(policy);
    await cut.end();
    kept.send('still here');
    await kept.until('still here');
    expect(rig.records().at(-1)).toMatchObject({ verdict: 'closed', reason: 'policy-changed', host: 'api.ok.test' });
  });

  test('without the control leaves the tunnel open', async () => {
    await using rig = await startRig({ enforcement: { recheck: false } satisfies Partial<Enforcement> });
    const client = await tunnelTo(rig, 'api.ok.test');
    rig.listener.setPolicy(NARROWER);
    client.send('still here');
    await client.until('still here');
  });

  test.each(['resolving', 'saying hello'])('is applied to a request that is still %s', async (stage) => {
    let resolved: (addresses: string[]) => void = () => {};
    const resolver = () =>
      stage === 'resolving'
        ? new Promise<string[]>((resolve) => {
            resolved = resolve;
          })
        : Promise.resolve([PUBLIC]);
    await using rig = await startRig({ resolver });
    const client = await rig.client();
    client.send(CONNECT('api.ok.test:443'));
    if (stage === 'resolving') while (rig.lookups.length === 0) await sleep(1);
    else await client.until('\r\n\r\n');
    rig.listener.setPolicy(NARROWER);
    resolved([PUBLIC]);
    client.send(helloBytes({ sni: 'api.ok.test' }));
    await client.end();
    expect(rig.dials).toEqual([]);
    expect(rig.records()).toMatchObject([{ verdict: 'deny' }]);
  });

  test('that becomes wider again allows at once', async () => {
    await using rig = await startRig({ policy: { allow: [], deny: [] } });
    expect(await rig.ask(GET('http://api.ok.test/', 'Connection: close\r\n'))).toContain('HTTP/1.1 403 ');
    rig.listener.setPolicy(compilePolicy(POLICY));
    await tunnelTo(rig, 'api.ok.test');
  });
});

async function tunnelTo(rig: Rig, host: string) {
  const client = await rig.client();
  client.send(Buffer.concat([Buffer.from(CONNECT(`${host}:443`)), helloBytes({ sni: host })]));
  await client.until('hello ');
  return client;
}
