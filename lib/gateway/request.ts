/** One request of a client, from its head to its end: admitted, recorded, dialled, carried. */
import type { Socket } from 'node:net';
import { type Admission, type AdmissionQuestion, admit, admitKnown, stillAdmitted } from './admit.ts';
import { answer, denialText } from './answers.ts';
import type { ByteReader } from './byte-reader.ts';
import type { Connection } from './dial.ts';
import { type DoorState, type Flight, mayNote, note } from './door-state.ts';
import { decide, type Verdict } from './policy.ts';
import type { RequestHead } from './request-head.ts';
import type { AuditReason, AuditRecord } from './types.ts';

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

/** What the client is told instead of being served. */
export interface Refusal {
  status: number;
  text: string;
}

export type Admitted = { admission: Admission } | { refusal: Refusal };

/** Every refusal is recorded here. */
export async function admitRequest(request: Request): Promise<Admitted> {
  const { state, abort } = request;
  await state.pace.turn(abort.signal);
  if (!mayNote(state)) return { refusal: UNRECORDED };
  let admission: Admission;
  try {
    admission = await admit(questionOf(request), abort.signal);
  } catch (error) {
    return { refusal: failed(request, 'unresolved', messageOf(error)) };
  }
  return admission.verdict.allow ? { admission } : { refusal: denied(request, admission.verdict) };
}

/** For a connection that leads to `addresses` already. */
export async function admitAgain(request: Request, addresses: string[]): Promise<Admitted> {
  const { state, abort } = request;
  await state.pace.turn(abort.signal);
  if (!mayNote(state)) return { refusal: UNRECORDED };
  const admission = admitKnown(questionOf(request), addresses);
  return admission.verdict.allow ? { admission } : { refusal: denied(request, admission.verdict) };
}

/** By name alone, for a tunnel whose requests are admitted one by one. Undefined: allowed. */
export async function refusedByName(request: Request): Promise<Refusal | undefined> {
  const { state, abort, head, purpose } = request;
  await state.pace.turn(abort.signal);
  if (!mayNote(state)) return UNRECORDED;
  if (!state.controls.policy) return undefined;
  const verdict = decide(state.policy, head.endpoint, purpose);
  return verdict.allow ? undefined : denied(request, verdict);
}

function questionOf({ state, head, purpose, read }: Request): AdmissionQuestion {
  return { ...state, endpoint: head.endpoint, purpose, line: read ? head : undefined, policy: () => state.policy };
}

const UNRECORDED: Refusal = {
  status: 403,
  text: 'sbx: the audit log cannot be written, so nothing is let out. Free space on the host, then try again.',
};

/** A request that is on its way, in the books until it is closed. */
export interface Travel {
  connection: Connection;
  /** Takes it off the books and records its end. Safe to call again. */
  close(reason?: AuditReason, detail?: string): void;
  /** The same, and the connection stays open for the next request */
  release(): void;
}

/** Opens the way to where a request goes. */
export type Open = (addresses: string[], signal: AbortSignal) => Promise<Connection>;

/** Records the permission, then dials: without the record no packet leaves. */
export async function travel(
  request: Request,
  admission: Admission,
  open: Open = dialing(request),
): Promise<{ travel: Travel } | { refusal: Refusal }> {
  const { state, head, purpose, abort } = request;
  const { addresses, verdict } = admission;
  const { endpoint } = head;
  if (!isCurrent(request, admission))
    return { refusal: denied(request, { ...verdict, allow: false, detail: CHANGED }) };
  const first = addresses[0];
  const letOut = verdict.reason === 'rule' ? 'allow' : 'observe';
  const said = request.detail === undefined ? {} : { detail: request.detail };
  const record = { ...aboutOf(request), verdict: letOut, reason: verdict.reason, ...said, ...ruleOf(verdict) } as const;
  if (!note(state, first === undefined ? record : { ...record, address: first })) return { refusal: UNRECORDED };
  state.stats.allowed += 1;
  const cut: { reason: AuditReason | undefined } = { reason: undefined };
  const flight: Flight = {
    endpoint,
    purpose,
    addresses,
    ...(request.read ? { line: head } : {}),
    cut(reason) {
      cut.reason = reason;
      abort.abort();
      request.client.destroy();
    },
  };
  state.flights.add(flight);
  try {
    const connection = await open(addresses, abort.signal);
    return { travel: underWay(request, { connection, verdict, flight, cut }) };
  } catch (error) {
    state.flights.delete(flight);
    return { refusal: failed(request, cut.reason ?? 'upstream-failed', messageOf(error)) };
  }
}

/** A connection of its own. */
export function dialing({ state, head, purpose }: Request): Open {
  const { host, port } = head.endpoint;
  return (addresses, signal) => state.dialer.dial({ host, port, purpose, addresses }, signal);
}

const CHANGED = 'the policy has become narrower meanwhile';

/** The policy may have changed between the admission and now. */
function isCurrent({ state, head, purpose, read }: Request, { policy, addresses }: Admission): boolean {
  if (policy === state.policy || !state.controls.recheck) return true;
  const admitted = { endpoint: head.endpoint, purpose, addresses, line: read ? head : undefined };
  return stillAdmitted(state.policy, admitted, state.resolver.ownAddresses());
}

interface Way {
  connection: Connection;
  verdict: Verdict;
  flight: Flight;
  cut: { reason: AuditReason | undefined };
}

function underWay(request: Request, { connection, verdict, flight, cut }: Way): Travel {
  const { state, abort, read } = request;
  const { socket, address } = connection;
  // From now on only the dialled address counts: another one may become denied without harm.
  if (address !== undefined) flight.addresses = [address];
  const before = { up: read ? socket.bytesWritten : 0, down: read ? socket.bytesRead : 0 };
  let open = true;
  const leave = (reason: AuditReason, detail?: string) => {
    if (!open) return;
    open = false;
    abort.signal.removeEventListener('abort', onAbort);
    state.flights.delete(flight);
    const bytesUp = socket.bytesWritten - before.up;
    const bytesDown = socket.bytesRead - before.down;
    state.stats.bytesUp += bytesUp;
    state.stats.bytesDown += bytesDown;
    note(state, {
      ...aboutOf(request),
      verdict: 'closed',
      reason: cut.reason ?? reason,
      ...(detail === undefined ? {} : { detail }),
      ...ruleOf(verdict),
      ...(address === undefined ? {} : { address }),
      bytesUp,
      bytesDown,
      durationMs: durationOf(request),
    });
  };
  const close: Travel['close'] = (reason = 'rule', detail) => {
    if (open) socket.destroy();
    leave(reason, detail);
  };
  const onAbort = () => close();
  if (abort.signal.aborted) close();
  else abort.signal.addEventListener('abort', onAbort, { once: true });
  return { connection, close, release: () => leave('rule') };
}

/** Records a denial and says what the client is told. */
function denied(request: Request, verdict: Verdict): Refusal {
  const { reason, detail, address } = verdict;
  const checked = address === undefined ? {} : { address };
  note(request.state, { ...aboutOf(request), verdict: 'deny', reason, detail, ...checked, ...ruleOf(verdict) });
  return {
    status: verdict.reason === 'bad-request' ? 400 : 403,
    text: denialText(request.head.endpoint, verdict),
  };
}

/** Why a request was aborted, when that has its record already */
export const RECORDED = 'recorded';

function failed(request: Request, reason: AuditReason, detail: string): Refusal {
  const durationMs = durationOf(request);
  if (request.abort.signal.reason !== RECORDED)
    note(request.state, { ...aboutOf(request), verdict: 'error', reason, detail, durationMs });
  return { status: 502, text: `sbx: ${request.head.endpoint.host} was not reached: ${detail}` };
}

function durationOf({ began }: Request): number {
  return Math.round(performance.now() - began);
}

export function refusalBytes(refusal: Refusal, head: RequestHead, keepAlive: boolean): Buffer {
  return answer({ ...refusal, keepAlive, bodiless: head.method === 'HEAD' });
}

export function aboutOf({ head }: Request): Pick<AuditRecord, 'host' | 'port' | 'method' | 'path'> {
  const { host, port } = head.endpoint;
  return { host, port, method: head.method, ...(head.method === 'CONNECT' ? {} : { path: head.target }) };
}

function ruleOf(verdict: Verdict): Pick<AuditRecord, 'rule'> {
  if (verdict.rule === undefined) return {};
  const { text, pattern, file, line } = verdict.rule;
  return {
    rule: { text: text ?? pattern, ...(file === undefined ? {} : { file }), ...(line === undefined ? {} : { line }) },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
