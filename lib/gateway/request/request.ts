/** One request of a client, and what its records say of it. */
import type { Socket } from 'node:net';
import type { ByteReader } from '../http/byte-reader.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Verdict } from '../policy/policy.ts';
import type { AuditRecord } from '../policy/types.ts';
import type { ListenerState } from './listener-state.ts';

export interface Request {
  state: ListenerState;
  client: Socket;
  /** Right behind the head */
  reader: ByteReader;
  head: RequestHead;
  purpose: 'tunnel' | 'http';
  /** Method and path are read: of each request, never of a tunnel */
  read: boolean;
  /** Aborted when the request is cut or its client is gone */
  abort: AbortController;
  /** By `performance.now()`: the host's clock may be set meanwhile */
  began: number;
  /** What the inspector said of it, for its record */
  detail?: string | undefined;
}

export function aboutOf({ head }: Request): Pick<AuditRecord, 'host' | 'port' | 'method' | 'path'> {
  const { host, port } = head.endpoint;
  return { host, port, method: head.method, ...(head.method === 'CONNECT' ? {} : { path: head.target }) };
}

export function ruleOf(verdict: Verdict): Pick<AuditRecord, 'rule'> {
  if (verdict.rule === undefined) return {};
  const { text, pattern, file, line } = verdict.rule;
  return {
    rule: { text: text ?? pattern, ...(file === undefined ? {} : { file }), ...(line === undefined ? {} : { line }) },
  };
}

export function durationOf({ began }: Request): number {
  return Math.round(performance.now() - began);
}
