import { describe, expect, test } from 'vitest';
import { auditLine } from '../../../../lib/cli/view/audit-line.ts';
import type { AuditRecord } from '../../../../lib/gateway/policy/types.ts';

const BASE: AuditRecord = {
  time: '2026-01-02T03:04:05.678Z',
  sandbox: 'box',
  verdict: 'allow',
  reason: 'rule',
  host: 'api.ok.test',
  port: 443,
  method: 'CONNECT',
};
const RULE = { text: '*.ok.test', file: '/p/sandbox.toml', line: 7 };

describe('a record as a line', () => {
  test('says the rule with its place, the address, the bytes both ways and how long', () => {
    const line = auditLine({
      ...BASE,
      verdict: 'closed',
      rule: RULE,
      address: '93.184.215.14',
      bytesUp: 517,
      bytesDown: 3_145_728,
      durationMs: 1_250,
    });
    expect(line).toBe(
      '2026-01-02T03:04:05.678Z  closed   api.ok.test:443                       CONNECT  *.ok.test (/p/sandbox.toml:7) · → 93.184.215.14 · 517 B up, 3.0 MiB down, 1.3 s',
    );
  });

  test('a permission names the secret that went with it', () => {
    const line = auditLine({ ...BASE, rule: RULE, detail: 'with the secret github', address: '93.184.215.14' });
    expect(line).toContain('*.ok.test (/p/sandbox.toml:7) · with the secret github · → 93.184.215.14');
  });

  test('a denial says why; method and path where they are known', () => {
    const line = auditLine({
      ...BASE,
      verdict: 'deny',
      reason: 'default-deny',
      detail: 'no allow rule covers it',
      method: 'POST',
      path: '/v1/x',
    });
    expect(line).toContain('POST /v1/x  default-deny: no allow rule covers it');
    expect(auditLine({ ...BASE, verdict: 'deny', reason: 'deny-rule', rule: RULE })).toContain(
      'deny-rule: *.ok.test (/p/sandbox.toml:7)',
    );
  });

  test('columns stand below each other', () => {
    const [one, two] = [auditLine(BASE), auditLine({ ...BASE, verdict: 'observe', host: 'x.test', reason: 'rule' })];
    expect(one.indexOf('CONNECT')).toBe(two.indexOf('CONNECT'));
  });

  test('one record stands for many', () => {
    const line = auditLine({ ...BASE, verdict: 'deny', reason: 'too-many-connections', host: '', port: 0, count: 31 });
    expect(line).toContain('too-many-connections × 31');
  });

  test('nothing that a guest wrote steers a terminal or begins a new line', () => {
    const nasty = 'a\r\n\x1b[2Kb\u202e\u0007\u2028c';
    const line = auditLine({ ...BASE, host: nasty, method: nasty, path: nasty, detail: nasty, rule: { text: nasty } });
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });
});
