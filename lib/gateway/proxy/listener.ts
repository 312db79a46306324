/** The egress proxy of one VM, its only route out: an HTTP proxy on a Unix socket, which identifies the VM. */

import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { listenAt } from '../../system/unix-socket.ts';
import type { Audit } from '../audit/audit.ts';
import { withLogRate } from '../audit/log-rate.ts';
import { readBytes } from '../http/byte-reader.ts';
import type { Inspector } from '../http/inspector.ts';
import { endWith } from '../http/socket-write.ts';
import { createHalfClosed, type HalfClosed } from '../limits/half-closed.ts';
import { createAllowance, createPace, LIMITS, type Limits } from '../limits/limits.ts';
import { createMeter } from '../limits/meter.ts';
import { plainResponse } from '../policy/denial-text.ts';
import type { Policy } from '../policy/policy.ts';
import type { AuditRecord } from '../policy/types.ts';
import { stillAdmitted } from '../request/admit.ts';
import { type Enforcement, FULL_ENFORCEMENT } from '../request/enforcement.ts';
import { type ListenerState, type ListenerStats, statsOf, writeRecord } from '../request/listener-state.ts';
import { serveRequests } from '../request/request-loop.ts';
import type { Authority } from '../tls/authority.ts';
import type { Dialer } from '../upstream/dial.ts';
import { limitLookups, type Resolver } from '../upstream/resolver.ts';
import { serveForward } from './http-forward.ts';
import { serveTunnel } from './tunnel.ts';

export interface ListenerInput {
  socketPath: string;
  sandbox: string;
  policy: Policy;
  resolver: Resolver;
  dialer: Dialer;
  /** For intercepted requests */
  inspector?: Inspector;
  /** The filter before the ssh agent of the host; absent: none */
  signerSocket?: string;
  /** Where the MCP gateway of the sandbox listens; absent: none */
  mcpSocket?: string;
  /** Issues the certificates of intercepted hosts */
  authority: Authority;
  /** Roots for verifying upstream certificates */
  trust: () => SecureContext;
  /** Closed with the listener */
  audit: Audit;
  limits?: Partial<Limits>;
  /** For tests that switch one control off */
  enforcement?: Partial<Enforcement>;
}

export interface EgressListener extends AsyncDisposable {
  readonly policy: Policy;
  readonly stats: ListenerStats;
  /** Takes effect at once; open connections that are no longer allowed are closed */
  setPolicy(policy: Policy): void;
  /** Adds a record of what its sandbox did. False: it was not written */
  record(record: Omit<AuditRecord, 'time' | 'sandbox'>): boolean;
  close(): Promise<void>;
}

export async function openEgress(input: ListenerInput): Promise<EgressListener> {
  const state = stateOf(input);
  const sockets = new Set<Socket>();
  const tooMany = countedDenials(state);
  const slots = () => sockets.size - state.halfClosed.size;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    if (slots() > state.limits.connections) return tooMany(socket, slots() > state.limits.connections + ANSWERED_MAX);
    socket.once('end', () => state.halfClosed.add(socket));
    serveClient(socket, state).catch(() => socket.destroy());
  });
  await listen(server, input.socketPath);
  const close = async () => {
    for (const active of state.active) active.cut('proxy-closed');
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(input.socketPath, { force: true });
    state.audit.close();
  };
  return {
    get policy() {
      return state.policy;
    },
    get stats() {
      return statsOf(state, slots());
    },
    setPolicy: (policy) => changePolicy(state, policy),
    record: (record) => writeRecord(state, record),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function serveClient(client: Socket, state: ListenerState): Promise<void> {
  const reader = readBytes(client);
  return serveRequests({
    client,
    reader,
    state,
    parse: (bytes, seen) => state.enforcement.parseHead(bytes, seen),
    async serve(head, abort) {
      const purpose = head.method === 'CONNECT' ? 'tunnel' : 'http';
      const request = {
        state,
        client,
        reader,
        head,
        purpose,
        read: purpose === 'http',
        abort,
        began: performance.now(),
      } as const;
      if (purpose === 'http') return serveForward(request);
      await serveTunnel(request);
      return false;
    },
  });
}

function stateOf(input: ListenerInput): ListenerState {
  const limits = { ...LIMITS, ...input.limits };
  const audit = withLogRate(input.audit, limits.denialsPerSecond);
  const enforcement = { ...FULL_ENFORCEMENT, ...input.enforcement };
  const active: ListenerState['active'] = new Set();
  return {
    sandbox: input.sandbox,
    policy: input.policy,
    resolver: limitLookups(input.resolver, limits.lookups),
    dialer: input.dialer,
    audit,
    inspector: input.inspector,
    signerSocket: input.signerSocket,
    mcpSocket: input.mcpSocket,
    authority: input.authority,
    trust: input.trust,
    limits,
    enforcement,
    pace: createPace(limits.requestsPerSecond),
    explanations: createAllowance(limits.explanationsPerSecond),
    meters: { up: createMeter(input.policy.bandwidth), down: createMeter(input.policy.bandwidth) },
    active,
    idle: new Set(),
    halfClosed: enforcement.halfClosed ? halfClosedOf(limits, active) : { size: 0, add: () => {} },
    stats: { connections: 0, active: 0, allowed: 0, denied: 0, failed: 0, bytesUp: 0, bytesDown: 0 },
  };
}

function halfClosedOf(limits: Limits, active: ListenerState['active']): HalfClosed {
  return createHalfClosed({
    most: limits.halfClosed,
    idleMs: limits.halfClosedMs,
    evict(client) {
      for (const one of [...active]) if (one.client === client) one.cut('idle');
      client.destroy();
    },
  });
}

async function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  await listenAt(server, path);
  chmodSync(path, 0o600);
}

function changePolicy(state: ListenerState, policy: Policy): void {
  state.policy = policy;
  state.meters.up.limit(policy.bandwidth);
  state.meters.down.limit(policy.bandwidth);
  if (!state.enforcement.recheck) return;
  const own = state.resolver.ownAddresses();
  for (const active of [...state.active]) if (!stillAdmitted(policy, active, own)) active.cut('policy-changed');
  // Idle upstream connections are dropped; allowed ones reconnect.
  for (const socket of state.idle) socket.destroy();
}

const REPORT_MS = 1_000;
/** Rejected connections that get a response at the same time; more are closed without one */
const ANSWERED_MAX = 256;

/** Writes one record per second for all rejected connections of that second. */
function countedDenials(state: ListenerState): (socket: Socket, silently: boolean) => void {
  let waiting = 0;
  let reported = 0;
  const text = `sbx: more than ${state.limits.connections} connections from this sandbox. Close some, then try again.`;
  return (socket, silently) => {
    waiting += 1;
    if (Date.now() - reported >= REPORT_MS) {
      reported = Date.now();
      writeRecord(state, { verdict: 'deny', reason: 'too-many-connections', host: '', port: 0, count: waiting });
      waiting = 0;
    }
    if (silently) socket.destroy();
    else endWith(socket, plainResponse({ status: 503, text }));
  };
}
