/** Records a denied or failed request and builds its response. */

import { errnoOf } from '../../errors.ts';
import type { RequestHead } from '../http/request-head.ts';
import { denialText, plainResponse } from '../policy/denial-text.ts';
import type { Verdict } from '../policy/policy.ts';
import type { AuditReason } from '../policy/types.ts';
import { writeRecord } from './listener-state.ts';
import { aboutOf, durationOf, type Request, ruleOf } from './request.ts';

/** Response sent to the client in place of the requested one. */
export interface Denial {
  status: number;
  text: string;
  /** The host is allowed, but its port is closed */
  refused?: boolean;
}

export const UNRECORDED: Denial = {
  status: 403,
  text: 'sbx: the audit log cannot be written, so no request is sent. Free space on the host, then try again.',
};

/** Records a denial and returns its response. */
export function denialOf(request: Request, verdict: Verdict): Denial {
  const { reason, detail, address } = verdict;
  const checked = address === undefined ? {} : { address };
  writeRecord(request.state, { ...aboutOf(request), verdict: 'deny', reason, detail, ...checked, ...ruleOf(verdict) });
  return {
    status: verdict.reason === 'bad-request' ? 400 : 403,
    text: denialText(request.head.endpoint, verdict),
  };
}

/** Abort reason of a request whose end is recorded already */
export const RECORDED = 'recorded';

export function denialOfFailure(request: Request, reason: AuditReason, error: unknown): Denial {
  const detail = error instanceof Error ? error.message : String(error);
  const durationMs = durationOf(request);
  if (request.abort.signal.reason !== RECORDED)
    writeRecord(request.state, { ...aboutOf(request), verdict: 'error', reason, detail, durationMs });
  const text = `sbx: ${request.head.endpoint.host} could not be reached: ${detail}`;
  return { status: 502, text, refused: errnoOf(error) === 'ECONNREFUSED' };
}

export function denialBytes(denial: Denial, head: RequestHead, keepAlive: boolean): Buffer {
  const { method } = head;
  return plainResponse({ ...denial, keepAlive, bodiless: method === 'HEAD', reasoned: method === 'CONNECT' });
}
