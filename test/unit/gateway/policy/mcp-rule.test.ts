/** The endpoint of the MCP servers is a rule of the specs that have some, and of no other. */
import { expect, test } from 'vitest';
import { compilePolicy, decide } from '../../../../lib/gateway/policy/policy.ts';
import { policyOf } from '../../../../lib/gateway/policy/spec-policy.ts';
import { spec } from '../../plan/spec.ts';

const endpoint = { kind: 'name', host: 'gateway.mcp.host.sbx', port: 80 } as const;
const one = { name: 'a', command: ['a'], folders: [], source: 'default' as const };
const verdictOf = (...parts: Parameters<typeof spec>) => decide(compilePolicy(policyOf(spec(...parts))), endpoint);

test('with MCP servers it is allowed, once for all of them', () => {
  expect(verdictOf({ mcp: [one, { ...one, name: 'b' }] })).toMatchObject({
    allow: true,
    rule: { service: { mcp: true } },
  });
});

test('without one it is denied, also in mode observe and with a rule that would cover the name', () => {
  expect(verdictOf().allow).toBe(false);
  const allow = [{ text: '**.host.sbx:80', pattern: '**.host.sbx:80', trusted: false, source: 'default' as const }];
  expect(verdictOf({ network: { ...spec().network, mode: 'observe', allow } }).allow).toBe(false);
});
