/** State shared by the connections of one listener. */
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Endpoint } from '../address/canonical-host.ts';
import type { Audit } from '../audit/audit.ts';
import type { Inspector } from '../http/inspector.ts';
import type { HalfClosed } from '../limits/half-closed.ts';
import type { Allowance, Limits, Pace } from '../limits/limits.ts';
import type { Meters } from '../limits/meter.ts';
import type { RequestLine } from '../policy/http-rules.ts';
import type { Policy } from '../policy/policy.ts';
import type { AuditReason, AuditRecord, DialledService } from '../policy/types.ts';
import type { Authority } from '../tls/authority.ts';
import type { Dialer } from '../upstream/dial.ts';
import type { Resolver } from '../upstream/resolver.ts';
import type { Enforcement } from './enforcement.ts';

/** An admitted request or tunnel that has not ended. */
export interface ActiveRequest {
  endpoint: Endpoint;
  purpose: 'tunnel' | 'http';
  addresses: string[];
  /** Dialled instead of an address */
  service?: DialledService | undefined;
  /** For intercepted requests */
  line?: RequestLine;
  client: Socket;
  /** What passed so far; undefined before its connection */
  bytes?: (() => Transferred) | undefined;
  /** MUST end the request at once */
  cut(reason: AuditReason): void;
}

/** Bytes to and from upstream. */
interface Transferred {
  bytesUp: number;
  bytesDown: number;
}

export interface ListenerStats extends Transferred {
  /** Open now */
  connections: number;
  /** Requests and tunnels that have not ended */
  active: number;
  allowed: number;
  denied: number;
  failed: number;
}

export interface ListenerState {
  sandbox: string;
  policy: Policy;
  resolver: Resolver;
  dialer: Dialer;
  audit: Audit;
  inspector: Inspector | undefined;
  /** Where its filter before the ssh agent of the host listens */
  signerSocket: string | undefined;
  /** Where its MCP gateway listens */
  mcpSocket: string | undefined;
  authority: Authority;
  trust: () => SecureContext;
  limits: Limits;
  enforcement: Enforcement;
  pace: Pace;
  explanations: Allowance;
  meters: Meters;
  active: Set<ActiveRequest>;
  /** Idle upstream connections of intercepted tunnels */
  idle: Set<Socket>;
  halfClosed: HalfClosed;
  stats: ListenerStats;
}

/** The counts now, with what open requests have transferred so far. */
export function statsOf({ stats, active }: ListenerState, connections: number): ListenerStats {
  const open = [...active].map((one) => one.bytes?.() ?? { bytesUp: 0, bytesDown: 0 });
  return {
    ...stats,
    connections,
    active: active.size,
    bytesUp: open.reduce((sum, { bytesUp }) => sum + bytesUp, stats.bytesUp),
    bytesDown: open.reduce((sum, { bytesDown }) => sum + bytesDown, stats.bytesDown),
  };
}

/** Writes one record. False: the write failed, and the request must not be sent. */
export function writeRecord(state: ListenerState, record: Omit<AuditRecord, 'time' | 'sandbox'>): boolean {
  if (record.verdict === 'deny') state.stats.denied += record.count ?? 1;
  if (record.verdict === 'error') state.stats.failed += 1;
  const written = state.audit.write({ time: new Date().toISOString(), sandbox: state.sandbox, ...record });
  return written || !state.enforcement.audit;
}

export function canRecord(state: ListenerState): boolean {
  return !state.enforcement.audit || state.audit.ready();
}
