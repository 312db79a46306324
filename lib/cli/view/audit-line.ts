/** Formats a record of the audit log as a line of columns. Text of a guest cannot control the terminal. Pure. */
import type { AuditRecord } from '../../gateway/policy/types.ts';
import { inOneLine } from './printable.ts';
import { size } from './size.ts';

const VERDICT_WIDTH = 'observe'.length;
const HOST_WIDTH = 36;
const REQUEST_WIDTH = 7;

export function auditLine(record: AuditRecord): string {
  const columns = [
    record.time,
    record.verdict.padEnd(VERDICT_WIDTH),
    whereOf(record).padEnd(HOST_WIDTH),
    requestOf(record).padEnd(REQUEST_WIDTH),
    [reasonOf(record), loginOf(record), addressOf(record), trafficOf(record)].filter((part) => part !== '').join(' · '),
  ];
  return inOneLine(columns.join('  '));
}

function whereOf({ host, port }: AuditRecord): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return host === '' ? '-' : port === 0 ? name : `${name}:${port}`;
}

function requestOf({ method, path }: AuditRecord): string {
  return `${method ?? '-'}${path === undefined ? '' : ` ${path}`}`;
}

function reasonOf({ reason, rule, detail, count }: AuditRecord): string {
  const place = rule?.file === undefined ? '' : ` (${rule.file}:${rule.line ?? 1})`;
  const times = count === undefined ? '' : ` × ${count}`;
  // An allow rule needs no reason; otherwise the reason precedes the rule or its detail.
  if (rule !== undefined) return `${reason === 'rule' ? '' : `${reason}: `}${rule.text}${place}${times}`;
  return `${reason}${detail === undefined ? '' : `: ${detail}`}${times}`;
}

/** The secret of the host that was sent with the request. */
function loginOf({ verdict, rule, detail }: AuditRecord): string {
  return verdict === 'allow' && rule !== undefined ? (detail ?? '') : '';
}

function addressOf({ address }: AuditRecord): string {
  return address === undefined ? '' : `→ ${address}`;
}

function trafficOf({ bytesUp, bytesDown, durationMs }: AuditRecord): string {
  const bytes = bytesUp === undefined ? [] : [`${size(bytesUp)} up`, `${size(bytesDown ?? 0)} down`];
  return [...bytes, ...(durationMs === undefined ? [] : [time(durationMs)])].join(', ');
}

function time(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
