/** `sbx net check` and the listener say the same: on any policy, of any request. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Audit } from '../../../../lib/gateway/audit/audit.ts';
import { checkUrl } from '../../../../lib/gateway/policy/explain.ts';
import { compilePolicy } from '../../../../lib/gateway/policy/policy.ts';
import type { AuditRecord, PolicyInput } from '../../../../lib/gateway/policy/types.ts';
import { askAndLeave } from '../fuzz/bytes.ts';
import { answering, CONNECT, GET, startRig } from '../rig.ts';

const host = fc.constantFrom(
  'a.test',
  'b.a.test',
  'c.b.a.test',
  'x.test',
  'A.Test.',
  '127.1',
  '93.184.215.14',
  '10.1.2.3',
  '[2606:4700::1]',
  '[::ffff:10.1.2.3]',
);
const port = fc.constantFrom(80, 443, 8080);
const pattern = fc
  .tuple(
    fc.constantFrom(
      'a.test',
      '*.a.test',
      '**.a.test',
      '**.test',
      '93.184.0.0/16',
      '10.0.0.0/8',
      '10.1.2.3',
      '0.0.0.0/0',
      '[2606:4700::]/32',
    ),
    fc.constantFrom('', ':80', ':443', ':80-8080'),
  )
  .map((parts) => ({ pattern: parts.join('') }));
const http = fc.record({
  host: fc.constantFrom('a.test', 'b.a.test', 'a.test:80', '93.184.215.14'),
  methods: fc.subarray(['GET', 'POST']),
  paths: fc.subarray(['/v1/**', '/*', '/v2']),
});
const policy: fc.Arbitrary<PolicyInput> = fc.record({
  mode: fc.constantFrom('enforce', 'enforce', 'observe'),
  allow: fc.array(pattern, { maxLength: 6 }),
  deny: fc.array(
    pattern.filter(({ pattern }) => !pattern.startsWith('0.')),
    { maxLength: 2 },
  ),
  http: fc.array(http, { maxLength: 2 }),
});
const path = fc.constantFrom('/', '/v1/a', '/v1/a?b=../c', '/v2', '/v1/../x', '/v1/%2e%2e/x', '/v1//', '/v1/%c0%af');

/** Of no block in these policies: what a name leads to is known only when it is used */
const resolver = async () => ['1.1.1.1'];

test('net check predicts what the listener does with a request', async () => {
  const { records, audit } = bookOf();
  await using rig = await startRig({
    audit,
    resolver,
    upstream: answering(),
    limits: { requestsPerSecond: 1_000_000, denialsPerSecond: 1_000_000 },
  });
  const verdicts = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      policy,
      host,
      port,
      path,
      fc.constantFrom('GET', 'POST'),
      async (input, name, at, target, method) => {
        const compiled = compilePolicy(input);
        rig.listener.setPolicy(compiled);
        records.length = 0;
        const url = `http://${name}:${at}${target}`;
        await askAndLeave(await rig.client(), GET(url, 'Connection: close\r\n').replace('GET', method));
        const said = checkUrl(compiled, url, method);
        const done = records[0];
        verdicts.add(`${done?.verdict} ${done?.reason}`);
        expect(said?.host).toBe(done?.host);
        expect([said?.allow, said?.reason]).toEqual([done?.verdict !== 'deny', done?.reason]);
        if (said?.reason === 'rule') expect(done?.rule?.text).toBe(said.rule?.text ?? said.rule?.pattern);
      },
    ),
    { numRuns: 1_000, seed: 11 },
  );
  // All kinds of them were among these.
  expect([...verdicts].toSorted()).toEqual([
    'allow rule',
    'deny bad-request',
    'deny default-deny',
    'deny deny-rule',
    'deny http-rule',
    'deny not-tls',
    'deny odd-address',
    'deny private-address',
    'observe default-deny',
  ]);
});

test('net check predicts what the listener does with a tunnel', async () => {
  const { records, audit } = bookOf();
  await using rig = await startRig({
    audit,
    resolver,
    limits: { requestsPerSecond: 1_000_000, denialsPerSecond: 1_000_000 },
  });
  await fc.assert(
    fc.asyncProperty(policy, host, port, async (input, name, at) => {
      const compiled = compilePolicy({ ...input, http: [] });
      rig.listener.setPolicy(compiled);
      records.length = 0;
      await askAndLeave(await rig.client(), `${CONNECT(`${name}:${at}`)}no hello`);
      const said = checkUrl(compiled, `${name}:${at}`);
      const done = records[0];
      // By name it was let in; what it then said was no TLS.
      if (done?.reason === 'server-name') expect(said?.allow).toBe(true);
      else expect([said?.allow, said?.reason]).toEqual([done?.verdict !== 'deny', done?.reason]);
    }),
    { numRuns: 500, seed: 12 },
  );
});

/** In memory: reading a file for each would take long. */
function bookOf(): { records: AuditRecord[]; audit: Audit } {
  const records: AuditRecord[] = [];
  const write = (record: AuditRecord) => records.push(record) > 0;
  return { records, audit: { ready: () => true, write, close: () => {} } };
}
