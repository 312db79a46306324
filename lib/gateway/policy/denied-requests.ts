/** What the records of the audit log say was asked for and not allowed, gathered by host and port. Pure. */
import { authorityOf, type Endpoint, parseAuthority } from '../address/canonical-host.ts';
import type { AuditReason, AuditRecord } from './types.ts';

export interface Seen {
  endpoint: Endpoint;
  count: number;
  /** Time of the last one */
  last: string;
  /** The address that was refused, when it was that */
  privateAddress: string | undefined;
  /** `GET /path` without its query, the most frequent first */
  requests: string[];
}

/** Refusals that a rule can change, or that need saying why none should */
const REASONS = new Set<AuditReason>(['default-deny', 'private-address', 'odd-address', 'deny-rule']);

export function seenIn(records: Iterable<AuditRecord>): Seen[] {
  const all = new Map<string, Gathered>();
  for (const record of records) {
    if ((record.verdict !== 'deny' && record.verdict !== 'observe') || !REASONS.has(record.reason)) continue;
    const endpoint = parseAuthority(authorityOf(record));
    if (endpoint === undefined) continue;
    const key = authorityOf(endpoint);
    const seen = all.get(key) ?? { endpoint, count: 0, last: '', privateAddress: undefined, requests: new Map() };
    all.set(key, seen);
    add(seen, record);
  }
  return [...all.values()].map((seen) => ({ ...seen, requests: mostFrequent(seen.requests) }));
}

type Gathered = Omit<Seen, 'requests'> & { requests: Map<string, number> };

function add(seen: Gathered, { count = 1, time, reason, address, method, path }: AuditRecord): void {
  seen.count += count;
  if (time >= seen.last) {
    seen.last = time;
    // The last word counts: a name may lead elsewhere by now.
    seen.privateAddress = reason === 'private-address' ? address : undefined;
  }
  if (method === undefined || path === undefined) return;
  const request = `${method} ${path.replace(/[?#].*$/s, '')}`;
  seen.requests.set(request, (seen.requests.get(request) ?? 0) + count);
}

function mostFrequent(requests: Map<string, number>): string[] {
  return [...requests].toSorted(([, a], [, b]) => b - a).map(([request]) => request);
}
