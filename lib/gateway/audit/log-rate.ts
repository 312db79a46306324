/** Limits denial records to a rate and summarizes the rest once a second; each allowed request keeps its own record. */

import type { AuditReason, AuditRecord } from '../policy/types.ts';
import type { Audit } from './audit.ts';

const SUMMARY_MS = 1_000;

/** Writes at most `perSecond` denial records and the summaries; allows bursts of two seconds' worth. */
export function withLogRate(audit: Audit, perSecond: number): Audit {
  const take = createBucket(perSecond);
  const counted = new Map<AuditReason, number>();
  let sandbox = '';
  let timer: NodeJS.Timeout | undefined;
  const summarise = () => {
    timer = undefined;
    if (counted.size === 0) return;
    if (audit.write(summaryOf(sandbox, counted))) counted.clear();
    // The write failed: retry, with the denials counted meanwhile.
    else later();
  };
  const later = () => {
    timer ??= setTimeout(summarise, SUMMARY_MS).unref();
  };
  return {
    ready: () => audit.ready(),
    write(record) {
      if (record.verdict !== 'deny' || take()) return audit.write(record);
      sandbox = record.sandbox;
      counted.set(record.reason, (counted.get(record.reason) ?? 0) + (record.count ?? 1));
      later();
      return true;
    },
    close() {
      clearTimeout(timer);
      if (counted.size > 0) audit.write(summaryOf(sandbox, counted));
      audit.close();
    },
  };
}

function createBucket(perSecond: number): () => boolean {
  const most = perSecond * 2;
  let left = most;
  let filled = Date.now();
  return () => {
    const now = Date.now();
    left = Math.min(most, left + ((now - filled) / 1_000) * perSecond);
    filled = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

function summaryOf(sandbox: string, counted: ReadonlyMap<AuditReason, number>): AuditRecord {
  const reasons = [...counted].toSorted(([, a], [, b]) => b - a);
  return {
    time: new Date().toISOString(),
    sandbox,
    verdict: 'deny',
    reason: 'log-rate',
    detail: reasons.map(([reason, count]) => `${reason} × ${count}`).join(', '),
    host: '',
    port: 0,
    count: reasons.reduce((sum, [, count]) => sum + count, 0),
  };
}
