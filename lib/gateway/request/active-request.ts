/** Lifecycle of an admitted request: audit, dial, track until closed. */

import type { Verdict } from '../policy/policy.ts';
import type { AuditReason, DialledService } from '../policy/types.ts';
import type { Connection, OwnSocket } from '../upstream/dial.ts';
import { type Admission, stillAdmitted } from './admit.ts';
import { type Denial, denialOf, denialOfFailure, UNRECORDED } from './denial.ts';
import { type ActiveRequest, type ListenerState, writeRecord } from './listener-state.ts';
import { aboutOf, durationOf, type Request, ruleOf } from './request.ts';

/** The upstream connection of an active request. */
export interface OpenConnection {
  connection: Connection;
  /** Destroys the connection, stops tracking it and records the end. Idempotent. */
  close(reason?: AuditReason, detail?: string): void;
  /** Records the end but keeps the connection open for the next request */
  release(): void;
}

/** Connects to the destination of a request. */
export type Dial = (target: Pick<Admission, 'addresses' | 'service'>, signal: AbortSignal) => Promise<Connection>;

/** Records the admission, then dials: without the record no packet leaves. */
export async function dialAdmitted(
  request: Request,
  admission: Admission,
  dial: Dial = dialDirect(request),
): Promise<{ open: OpenConnection } | { denial: Denial }> {
  const { state, abort } = request;
  const { addresses, verdict } = admission;
  if (!isStillAdmitted(request, admission))
    return { denial: denialOf(request, { ...verdict, allow: false, detail: CHANGED }) };
  const first = addresses[0];
  const admitted = verdict.reason === 'rule' ? 'allow' : 'observe';
  const noted = request.detail === undefined ? {} : { detail: request.detail };
  const record = {
    ...aboutOf(request),
    verdict: admitted,
    reason: verdict.reason,
    ...noted,
    ...ruleOf(verdict),
  } as const;
  if (!writeRecord(state, first === undefined ? record : { ...record, address: first })) return { denial: UNRECORDED };
  state.stats.allowed += 1;
  const cut: Cut = { reason: undefined };
  const active = activeRequestOf(request, admission, cut);
  state.active.add(active);
  try {
    const connection = await dial(admission, abort.signal);
    return { open: trackConnection(request, { connection, verdict, active, cut }) };
  } catch (error) {
    state.active.delete(active);
    return { denial: denialOfFailure(request, cut.reason ?? 'upstream-failed', error) };
  }
}

/** Dials a new connection for the request. */
export function dialDirect({ state, head, purpose }: Request): Dial {
  const { host, port } = head.endpoint;
  return async ({ addresses, service: named }, signal) => {
    const service = named === undefined ? undefined : ownOr(state, named);
    return state.dialer.dial({ host, port, purpose, addresses, ...(service === undefined ? {} : { service }) }, signal);
  };
}

/** The signer and the MCP gateway are those of this sandbox. */
function ownOr({ signerSocket, mcpSocket }: ListenerState, named: DialledService) {
  if ('signer' in named) return ownSocket(signerSocket, 'nothing signs for this sandbox');
  return 'mcp' in named ? ownSocket(mcpSocket, 'this sandbox has no MCP gateway') : named;
}

function ownSocket(path: string | undefined, otherwise: string): OwnSocket {
  if (path === undefined) throw new Error(otherwise);
  return { ownSocket: path };
}

const CHANGED = 'the policy changed and no longer allows it';

/** The policy may have changed between the admission and now. */
function isStillAdmitted({ state, head, purpose, read }: Request, { policy, addresses, service }: Admission): boolean {
  if (policy === state.policy || !state.enforcement.recheck) return true;
  const admitted = { endpoint: head.endpoint, purpose, addresses, service, line: read ? head : undefined };
  return stillAdmitted(state.policy, admitted, state.resolver.ownAddresses());
}

/** Why the request was cut; undefined: it was not */
interface Cut {
  reason: AuditReason | undefined;
}

function activeRequestOf(request: Request, { addresses, service }: Admission, cut: Cut): ActiveRequest {
  const { head, purpose, read, abort, client } = request;
  return {
    endpoint: head.endpoint,
    purpose,
    addresses,
    service,
    ...(read ? { line: head } : {}),
    client,
    cut(reason) {
      cut.reason = reason;
      abort.abort();
      client.destroy();
    },
  };
}

interface Tracked {
  connection: Connection;
  verdict: Verdict;
  active: ActiveRequest;
  cut: Cut;
}

function trackConnection(request: Request, { connection, verdict, active, cut }: Tracked): OpenConnection {
  const { state, abort, read } = request;
  const { socket, address } = connection;
  // From now on only the dialled address counts: another one may become denied without harm.
  if (address !== undefined) active.addresses = [address];
  const before = { up: read ? socket.bytesWritten : 0, down: read ? socket.bytesRead : 0 };
  const transferred = () => ({
    bytesUp: socket.bytesWritten - before.up,
    bytesDown: socket.bytesRead - before.down,
  });
  active.bytes = transferred;
  let open = true;
  const leave = (reason: AuditReason, detail?: string) => {
    if (!open) return;
    open = false;
    abort.signal.removeEventListener('abort', onAbort);
    state.active.delete(active);
    const { bytesUp, bytesDown } = transferred();
    state.stats.bytesUp += bytesUp;
    state.stats.bytesDown += bytesDown;
    writeRecord(state, {
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
  const close: OpenConnection['close'] = (reason = 'rule', detail) => {
    if (open) socket.destroy();
    leave(reason, detail);
  };
  const onAbort = () => close();
  if (abort.signal.aborted) close();
  else abort.signal.addEventListener('abort', onAbort, { once: true });
  return { connection, close, release: () => leave('rule') };
}
