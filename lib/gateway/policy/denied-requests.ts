/** Groups the denied requests of the audit log by host and port. Pure. */
import { authorityOf, type Endpoint, parseAuthority } from '../address/canonical-host.ts';
import type { AuditReason, AuditRecord } from './types.ts';

export interface DeniedTarget {
  endpoint: Endpoint;
  count: number;
  /** Time of the last request */
  last: string;
  /** The denied address, if the last denial was by address */
  privateAddress: string | undefined;
  /** `GET /path` without its query, the most frequent first */
  requests: string[];
}

/** Denials that a rule can change, or that need an explanation why none should */
const REASONS = new Set<AuditReason>(['default-deny', 'private-address', 'odd-address', 'deny-rule']);

export function deniedTargets(records: Iterable<AuditRecord>): DeniedTarget[] {
  const all = new Map<string, Gathered>();
  for (const record of records) {
    if ((record.verdict !== 'deny' && record.verdict !== 'observe') || !REASONS.has(record.reason)) continue;
    const endpoint = parseAuthority(authorityOf(record));
    if (endpoint === undefined) continue;
    const key = authorityOf(endpoint);
    const target = all.get(key) ?? { endpoint, count: 0, last: '', privateAddress: undefined, requests: new Map() };
    all.set(key, target);
    add(target, record);
  }
  return [...all.values()].map((target) => ({ ...target, requests: mostFrequent(target.requests) }));
}

type Gathered = Omit<DeniedTarget, 'requests'> & { requests: Map<string, number> };

function add(target: Gathered, { count = 1, time, reason, address, method, path }: AuditRecord): void {
  target.count += count;
  if (time >= target.last) {
    target.last = time;
    // The latest record wins: a name may resolve to another address by now.
    target.privateAddress = reason === 'private-address' ? address : undefined;
  }
  if (method === undefined || path === undefined) return;
  const request = `${method} ${path.replace(/[?#].*$/s, '')}`;
  target.requests.set(request, (target.requests.get(request) ?? 0) + count);
}

function mostFrequent(requests: Map<string, number>): string[] {
  return [...requests].toSorted(([, a], [, b]) => b - a).map(([request]) => request);
}
