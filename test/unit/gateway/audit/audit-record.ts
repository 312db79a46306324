import type { AuditRecord } from '../../../../lib/gateway/policy/types.ts';

/** A denial, or what `more` makes of it. */
export function auditRecord(more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    time: '2026-01-02T03:04:05.678Z',
    sandbox: 'box',
    verdict: 'deny',
    reason: 'default-deny',
    host: 'h.test',
    port: 443,
    ...more,
  };
}
