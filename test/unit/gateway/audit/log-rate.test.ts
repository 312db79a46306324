import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Audit } from '../../../../lib/gateway/audit/audit.ts';
import { withLogRate } from '../../../../lib/gateway/audit/log-rate.ts';
import type { AuditRecord } from '../../../../lib/gateway/policy/types.ts';
import { auditRecord } from './audit-record.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function limited(perSecond = 5) {
  const written: AuditRecord[] = [];
  const disk = { full: false };
  const inner: Audit = {
    ready: () => !disk.full,
    write: (one) => {
      if (!disk.full) written.push(one);
      return !disk.full;
    },
    close: () => {},
  };
  return { written, disk, audit: withLogRate(inner, perSecond) };
}

/** Denials that the log knows of, one by one or counted */
const known = (written: AuditRecord[]) =>
  written.filter(({ verdict }) => verdict === 'deny').reduce((sum, { count = 1 }) => sum + count, 0);

describe('a flood of denials', () => {
  test('is counted and summarised once a second, by reason; none is lost', () => {
    const { audit, written } = limited();
    for (let count = 0; count < 500; count += 1) expect(audit.write(auditRecord())).toBe(true);
    for (let count = 0; count < 70; count += 1) audit.write(auditRecord({ reason: 'bad-request' }));
    expect(written).toHaveLength(10);
    vi.advanceTimersByTime(1_000);
    expect(written).toHaveLength(11);
    expect(written.at(-1)).toMatchObject({
      sandbox: 'box',
      reason: 'log-rate',
      count: 560,
      detail: 'default-deny × 490, bad-request × 70',
    });
    expect(known(written)).toBe(570);
  });

  test('for ten seconds: the log grows by the rate, not by the flood', () => {
    const { audit, written } = limited();
    for (let tick = 0; tick < 1_000; tick += 1) {
      for (let count = 0; count < 20; count += 1) audit.write(auditRecord());
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(1_000);
    expect(written.length).toBeLessThanOrEqual(10 + 5 * 11 + 11);
    expect(known(written)).toBe(20_000);
  });

  test('hides nothing that is let out: each has its own record', () => {
    const { audit, written } = limited();
    for (let count = 0; count < 100; count += 1) audit.write(auditRecord());
    for (const verdict of ['allow', 'observe', 'closed', 'error'] as const) audit.write(auditRecord({ verdict }));
    expect(written.slice(-4).map(({ verdict }) => verdict)).toEqual(['allow', 'observe', 'closed', 'error']);
  });

  test('an allowed request whose record cannot be written is told so, flood or not', () => {
    const { audit, disk } = limited();
    for (let count = 0; count < 100; count += 1) audit.write(auditRecord());
    disk.full = true;
    expect([audit.write(auditRecord({ verdict: 'allow' })), audit.ready()]).toEqual([false, false]);
  });

  test('what could not be written down is told later, and when the log is closed', () => {
    const { audit, disk, written } = limited();
    for (let count = 0; count < 30; count += 1) audit.write(auditRecord());
    disk.full = true;
    vi.advanceTimersByTime(3_000);
    disk.full = false;
    vi.advanceTimersByTime(1_000);
    expect(known(written)).toBe(30);
    for (let count = 0; count < 100; count += 1) audit.write(auditRecord());
    audit.close();
    expect(known(written)).toBe(130);
  });

  test('is over: records are written one by one again', () => {
    const { audit, written } = limited();
    for (let count = 0; count < 100; count += 1) audit.write(auditRecord());
    vi.advanceTimersByTime(5_000);
    audit.write(auditRecord({ host: 'later.test' }));
    expect(written.at(-1)).toMatchObject({ host: 'later.test' });
  });
});
