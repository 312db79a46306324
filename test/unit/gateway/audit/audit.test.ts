import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { lineOf, openAudit } from '../../../../lib/gateway/audit/audit.ts';
import { auditRecord } from './audit-record.ts';

const RECORD = auditRecord({ time: 't' });

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-audit-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(dir, { recursive: true, force: true });
});

describe('the log', () => {
  test('is the user’s alone, one line a record, and continues where it was', () => {
    const path = join(dir, 'audit.jsonl');
    for (let count = 0; count < 2; count += 1) {
      const audit = openAudit(path);
      expect(audit.write(RECORD)).toBe(true);
      audit.close();
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe(`${JSON.stringify(RECORD)}\n`.repeat(2));
  });

  test('keeps one old file and never grows beyond its size', () => {
    const path = join(dir, 'audit.jsonl');
    const audit = openAudit(path, 500);
    for (let count = 0; count < 50; count += 1) audit.write({ ...RECORD, port: count });
    audit.close();
    expect(statSync(path).size).toBeLessThanOrEqual(500);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(500);
    expect(readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)).toContain('"port":49');
  });

  test('says when it could not be written, and after it was closed', () => {
    const full = openAudit('/dev/full');
    expect([full.ready(), full.write(RECORD), full.ready()]).toEqual([true, false, false]);
    const missing = openAudit(join(dir, 'no', 'folder'));
    expect([missing.write(RECORD), missing.ready()]).toEqual([false, false]);
    const closed = openAudit(join(dir, 'closed'));
    closed.close();
    expect([closed.write(RECORD), statSync(join(dir, 'closed'), { throwIfNoEntry: false })]).toEqual([
      false,
      undefined,
    ]);
  });

  test('does not follow a link', () => {
    appendFileSync(join(dir, 'elsewhere'), '');
    symlinkSync(join(dir, 'elsewhere'), join(dir, 'audit.jsonl'));
    expect(openAudit(join(dir, 'audit.jsonl')).write(RECORD)).toBe(false);
    expect(statSync(join(dir, 'elsewhere')).size).toBe(0);
  });

  test('that was moved away begins again', () => {
    vi.useFakeTimers();
    const path = join(dir, 'audit.jsonl');
    const audit = openAudit(path);
    audit.write(RECORD);
    renameSync(path, join(dir, 'moved'));
    vi.advanceTimersByTime(2_000);
    expect(audit.write(RECORD)).toBe(true);
    audit.close();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(2);
  });
});

describe('a line', () => {
  test('is ASCII of at most 4 KiB, whatever was asked for', () => {
    const nasty = '\r\n\x1b[2J\u2028\u009b\ud800 "é'.repeat(5_000);
    const line = lineOf({
      ...RECORD,
      host: nasty,
      path: nasty,
      detail: nasty,
      method: nasty,
      rule: { text: nasty, file: nasty },
    });
    expect(line).toMatch(/^[\x20-\x7e]*$/);
    expect(line.length).toBeLessThan(4_096);
    expect(JSON.parse(line)).toMatchObject({ sandbox: 'box', verdict: 'deny', port: 443 });
  });
});
