/** One request of a client, and the audit fields derived from it. */
import type { Socket } from 'node:net';
import type { ByteReader } from '../http/byte-reader.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Verdict } from '../policy/policy.ts';
import type { AuditRecord } from '../policy/types.ts';
import type { ListenerState } from './listener-state.ts';

export interface Request {
  state: ListenerState;
  client: Socket;
  /** Positioned after the head */
  reader: ByteReader;
  head: RequestHead;
  purpose: 'tunnel' | 'http';
  /** Method and path are known: true for requests, false for tunnels */
  read: boolean;
  /** Aborted when the request is cut or its client is gone */
  abort: AbortController;
  /** From `performance.now()`, since the wall clock may change */
  began: number;
  /** From the inspector, for the audit record */
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
