import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAudit } from '../../../../lib/gateway/audit/audit.ts';
import { auditFilter, readAudit } from '../../../../lib/gateway/audit/audit-reader.ts';
import type { AuditRecord } from '../../../../lib/gateway/policy/types.ts';
import { auditRecord } from './audit-record.ts';

let dir = '';
let path = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-audit-'));
  path = join(dir, 'audit.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const ports = async (more: { last?: number } = {}) => {
  const found: number[] = [];
  const reading = { follow: false, signal: new AbortController().signal, ...more };
  for await (const { port } of readAudit(path, reading)) found.push(port);
  return found;
};

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe('reading the log back', () => {
  test('gives the file that was rotated away, then the current one', async () => {
    const audit = openAudit(path, 1_000);
    for (const port of range(1, 15)) audit.write(auditRecord({ port }));
    audit.close();
    const found = await ports();
    expect(found.length).toBeGreaterThan(7);
    expect(found).toEqual(range(15 - found.length, 15));
    expect(await ports({ last: 9 })).toEqual(range(6, 15));
  });

  test('leaves out what is no record, and is empty where there is no log', async () => {
    expect(await ports()).toEqual([]);
    writeFileSync(path, `\n{"host":1}\nnull\nnot JSON\n${JSON.stringify(auditRecord({ port: 7 }))}\n{"host":"cut`);
    expect(await ports()).toEqual([7]);
  });

  test('follows through rotations: nothing lost, nothing twice, in order', async () => {
    const audit = openAudit(path, 4_000);
    const abort = new AbortController();
    const found: number[] = [];
    const reading = (async () => {
      for await (const { port } of readAudit(path, { follow: true, signal: abort.signal })) {
        found.push(port);
        if (port === 120) abort.abort();
      }
    })();
    for (const port of range(1, 121)) {
      audit.write(auditRecord({ port }));
      if (port % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 210));
    }
    audit.close();
    await reading;
    expect(found).toEqual(range(1, 121));
  });

  test('follows a log that begins later', async () => {
    const abort = new AbortController();
    setTimeout(() => appendFileSync(path, `${JSON.stringify(auditRecord({ port: 9 }))}\n`), 50);
    for await (const { port } of readAudit(path, { follow: true, signal: abort.signal })) {
      expect(port).toBe(9);
      abort.abort();
    }
    expect(abort.signal.aborted).toBe(true);
  });
});

describe('asking for some of it', () => {
  const matches = (host: string, one: Partial<AuditRecord>) =>
    auditFilter({ denied: false, host })?.(auditRecord({ ...one }));

  test('denied: what was not let out, and what only mode observe let out', () => {
    const verdicts = ['allow', 'observe', 'deny', 'error', 'closed'] as const;
    expect(verdicts.filter((verdict) => auditFilter({ denied: true })?.(auditRecord({ verdict })))).toEqual([
      'observe',
      'deny',
    ]);
  });

  test.each([
    ['h.test', { host: 'h.test' }, true],
    ['H.Test', { host: 'h.test' }, true],
    ['h.test', { host: 'h.test', port: 80 }, true],
    ['h.test:80', { host: 'h.test', port: 443 }, false],
    ['h.test', { host: 'xh.test' }, false],
    ['*.test', { host: 'h.test' }, true],
    ['*.test', { host: 'a.h.test' }, false],
    ['10.0.0.0/8', { host: '10.1.2.3' }, true],
    ['10.0.0.0/8', { host: 'h.test', address: '10.1.2.3' }, true],
    ['fd00::/8', { host: 'fd00::1' }, true],
    ['h.test', { host: 'GET http://h.test/' }, false],
  ])('host %s of %o: %s', (host, one, expected) => expect(matches(host, one)).toBe(expected));

  test('what is no host is no filter', () => expect(auditFilter({ denied: false, host: 'a b' })).toBeUndefined());
});
