/** One request of a client, and what its records say of it. */
import type { Socket } from 'node:net';
import type { ByteReader } from './byte-reader.ts';
import type { DoorState } from './door-state.ts';
import type { Verdict } from './policy.ts';
import type { RequestHead } from './request-head.ts';
import type { AuditRecord } from './types.ts';

export interface Request {
  state: DoorState;
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
