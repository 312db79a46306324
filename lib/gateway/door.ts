/** One VM's only way out: a Unix socket that speaks the HTTP proxy protocol. Parse → decide → resolve once → check every address → dial the checked one. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Audit } from './audit.ts';
import { OneBody } from './body.ts';
import { HELLO_MAX, parseClientHello } from './client-hello.ts';
import { canonicalHost } from './host.ts';
import { decide, decideAddress, type Policy, type Verdict } from './policy.ts';
import { parseRequestHead, type RequestHead, upstreamHead } from './request-head.ts';
import type { AuditRecord } from './types.ts';
import type { Upstream } from './upstream.ts';

export interface Limits {
  connections: number;
  /** From the first byte to the end of the head, and to the end of the ClientHello */
  headMs: number;
  idleMs: number;
}

export const LIMITS: Limits = { connections: 256, headMs: 15_000, idleMs: 3_600_000 };

/** Each control can be switched off by its test, and by nothing else: the test must then fail. */
export interface Controls {
  addressCheck: boolean;
  serverName: boolean;
  audit: boolean;
}

export const ALL_CONTROLS: Controls = { addressCheck: true, serverName: true, audit: true };

export interface DoorInput {
  socketPath: string;
  sandbox: string;
  policy: Policy;
  upstream: Upstream;
  audit: Audit;
  limits?: Limits;
  controls?: Controls;
}

export interface Door extends AsyncDisposable {
  readonly policy: Policy;
  /** In force at once; open tunnels that it no longer allows are closed */
  setPolicy(policy: Policy): void;
}

/** One open way out, a tunnel or a forwarded request. */
interface Tunnel {
  endpoint: RequestHead['endpoint'];
  /** The checked ones, of which one was dialled */
  addresses: string[];
  close: () => void;
  /** Both ends are closed and that is written down */
  closed: Promise<void>;
}

export async function openDoor(input: DoorInput): Promise<Door> {
  const state = { policy: input.policy, tunnels: new Set<Tunnel>(), sockets: new Set<Socket>() };
  const limits = input.limits ?? LIMITS;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    state.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => state.sockets.delete(socket));
    if (state.sockets.size > limits.connections) {
      socket.end(plainAnswer(503, 'Service Unavailable', 'sbx: too many connections from this sandbox'));
      return socket.destroySoon();
    }
    serve(socket, { ...input, limits, controls: input.controls ?? ALL_CONTROLS }, state).catch(() => socket.destroy());
  });
  await listen(server, input.socketPath);
  return {
    get policy() {
      return state.policy;
    },
    setPolicy(policy) {
      state.policy = policy;
      for (const tunnel of [...state.tunnels])
        if (!stillAllowed(policy, tunnel.endpoint, tunnel.addresses, input)) tunnel.close();
    },
    async [Symbol.asyncDispose]() {
      const open = [...state.tunnels];
      for (const tunnel of open) tunnel.close();
      for (const socket of state.sockets) socket.destroy();
      await Promise.all(open.map(({ closed }) => closed));
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(input.socketPath, { force: true });
      input.audit.close();
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
}

type Inputs = Required<DoorInput>;
type State = { policy: Policy; tunnels: Set<Tunnel>; sockets: Set<Socket> };

async function serve(socket: Socket, input: Inputs, state: State): Promise<void> {
  const began = Date.now();
  const read = await readUntil(socket, input.limits.headMs, (bytes) => {
    const parsed = parseRequestHead(bytes);
    return parsed === 'more' ? undefined : parsed;
  });
  if (read === undefined) return void socket.destroy();
  const { value: parsed, bytes } = read;
  const note = (record: Omit<AuditRecord, 'time' | 'sandbox'>) => {
    const written = input.audit.write({ time: new Date().toISOString(), sandbox: input.sandbox, ...record });
    return written || !input.controls.audit;
  };
  if ('bad' in parsed) {
    note({ verdict: 'deny', reason: 'bad-request', host: printable(bytes), port: 0, rule: { text: parsed.bad } });
    return answer(socket, plainAnswer(400, 'Bad Request', `sbx: ${parsed.bad}`));
  }
  const { head } = parsed;
  if (input.controls.audit && !input.audit.ready()) return answer(socket, UNRECORDED);
  const about = aboutOf(head);
  const checked = await check(head, input, state.policy);
  if ('failed' in checked) {
    note({ ...about, verdict: 'error', reason: 'upstream-failed', durationMs: Date.now() - began });
    return answer(socket, plainAnswer(502, 'Bad Gateway', `sbx: ${head.endpoint.host}: ${checked.failed}`));
  }
  if (!checked.verdict.allow) {
    note({ ...about, verdict: 'deny', reason: checked.verdict.reason, ...ruleOf(checked.verdict) });
    return answer(socket, denial(head, checked.verdict));
  }
  const allowed = (address: string) =>
    note({ ...about, verdict: 'allow', reason: checked.verdict.reason, address, ...ruleOf(checked.verdict) });
  const rest = bytes.subarray(parsed.bytes);
  const context = { head, addresses: checked.addresses, rest, note, allowed, began, about };
  await (head.method === 'CONNECT' ? tunnel(socket, input, state, context) : forward(socket, input, state, context));
}

const UNRECORDED = plainAnswer(
  503,
  'Service Unavailable',
  'sbx: the audit log cannot be written, so nothing is let out',
);

interface Context {
  head: RequestHead;
  addresses: string[];
  /** Came with the head */
  rest: Buffer;
  note: (record: Omit<AuditRecord, 'time' | 'sandbox'>) => boolean;
  allowed: (address: string) => boolean;
  began: number;
  about: { host: string; port: number; method: string; path?: string };
}

async function check(
  head: RequestHead,
  input: Inputs,
  policy: Policy,
): Promise<{ verdict: Verdict; addresses: string[] } | { failed: string }> {
  const { endpoint } = head;
  const verdict = decide(policy, endpoint);
  if (!verdict.allow) return { verdict, addresses: [] };
  let addresses: string[];
  try {
    addresses = endpoint.literal ? [endpoint.host] : await input.upstream.resolve(endpoint.host);
  } catch (error) {
    return { failed: error instanceof Error ? error.message : 'the name was not resolved' };
  }
  if (addresses.length === 0) return { failed: 'the name has no address' };
  if (!input.controls.addressCheck) return { verdict, addresses };
  const own = input.upstream.ownAddresses();
  const refused = addresses
    .map((address) => decideAddress(policy, verdict, address, endpoint.port, own))
    .find((one) => !one.allow);
  return { verdict: refused ?? verdict, addresses };
}

/** On port 443 a name is let through only with TLS to that very name: nothing is dialled before the ClientHello has said it. */
async function tunnel(socket: Socket, input: Inputs, state: State, context: Context): Promise<void> {
  const { head, note, about } = context;
  let early = context.rest;
  const tls = head.endpoint.port === 443 && !head.endpoint.literal && input.controls.serverName;
  if (tls) {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    const read = await readUntil(
      socket,
      input.limits.headMs,
      (bytes) => (bytes.length > HELLO_MAX + 4096 ? { bad: 'too long' } : settled(parseClientHello(bytes))),
      early,
    );
    const name = read !== undefined && 'sni' in read.value ? read.value.sni : undefined;
    if (read === undefined || name === undefined || canonicalHost(name)?.host !== head.endpoint.host) {
      const why =
        read === undefined
          ? 'no ClientHello'
          : 'bad' in read.value
            ? read.value.bad
            : name === undefined
              ? 'no server name'
              : `the server name is ${name}`;
      note({ ...about, verdict: 'deny', reason: 'server-name', rule: { text: why } });
      return void socket.destroy();
    }
    early = read.bytes;
  }
  const upstream = await input.upstream.dial(context.addresses, head.endpoint.port).catch((error: Error) => error);
  if (upstream instanceof Error) {
    note({ ...about, verdict: 'error', reason: 'upstream-failed', durationMs: Date.now() - context.began });
    return void (tls
      ? socket.destroy()
      : answer(socket, plainAnswer(502, 'Bad Gateway', `sbx: ${head.endpoint.host}: ${upstream.message}`)));
  }
  if (!enter(socket, upstream, input, state, context, tls)) return;
  if (!tls) socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  splice(socket, upstream, early, input.limits.idleMs);
}

/** The last look before any byte goes out: the client may have left, the policy may have become narrower, and without a record nothing goes. */
function enter(
  socket: Socket,
  upstream: Socket,
  input: Inputs,
  state: State,
  context: Context,
  /** The client has been told 200 already */
  greeted: boolean,
): boolean {
  const { head, note, about, began } = context;
  const refuse = (text: string) => {
    upstream.destroy();
    if (greeted) socket.destroy();
    else answer(socket, text);
    return false;
  };
  if (socket.destroyed || upstream.destroyed) return refuse('');
  if (!stillAllowed(state.policy, head.endpoint, context.addresses, input)) {
    const verdict: Verdict = { allow: false, reason: 'deny-rule', detail: 'the policy has just become narrower' };
    note({ ...about, verdict: 'deny', reason: verdict.reason, rule: { text: verdict.detail } });
    return refuse(denial(head, verdict));
  }
  if (!context.allowed(upstream.remoteAddress ?? '')) return refuse(UNRECORDED);
  const close = () => {
    socket.destroy();
    upstream.destroy();
  };
  const closed = new Promise<void>((resolve) =>
    upstream.once('close', () => {
      state.tunnels.delete(entry);
      const [bytesUp, bytesDown] = [upstream.bytesWritten, upstream.bytesRead];
      note({ ...about, verdict: 'closed', reason: 'rule', bytesUp, bytesDown, durationMs: Date.now() - began });
      resolve();
    }),
  );
  const entry: Tunnel = { endpoint: head.endpoint, addresses: context.addresses, close, closed };
  state.tunnels.add(entry);
  return true;
}

/** Asked again, of the policy now in force, about a connection that was allowed before. */
function stillAllowed(
  policy: Policy,
  endpoint: RequestHead['endpoint'],
  addresses: string[],
  input: DoorInput,
): boolean {
  const verdict = decide(policy, endpoint);
  if (!verdict.allow || input.controls?.addressCheck === false) return verdict.allow;
  const own = input.upstream.ownAddresses();
  return addresses.every((address) => decideAddress(policy, verdict, address, endpoint.port, own).allow);
}

async function forward(socket: Socket, input: Inputs, state: State, context: Context): Promise<void> {
  const { head, note, about } = context;
  const upstream = await input.upstream.dial(context.addresses, head.endpoint.port).catch((error: Error) => error);
  if (upstream instanceof Error) {
    note({ ...about, verdict: 'error', reason: 'upstream-failed', durationMs: Date.now() - context.began });
    return answer(socket, plainAnswer(502, 'Bad Gateway', `sbx: ${head.endpoint.host}: ${upstream.message}`));
  }
  if (!enter(socket, upstream, input, state, context, false)) return;
  upstream.on('error', () => socket.destroy());
  socket.on('close', () => upstream.destroy());
  upstream.on('close', () => finish(socket));
  upstream.setTimeout(input.limits.idleMs, () => upstream.destroy());
  upstream.write(upstreamHead(head), 'latin1');
  const body = new OneBody(head.body);
  body.on('error', () => socket.destroy());
  body.pipe(upstream, { end: false });
  if (context.rest.length > 0) body.write(context.rest);
  socket.pipe(body);
  upstream.pipe(socket);
}

function splice(client: Socket, upstream: Socket, early: Buffer, idleMs: number): void {
  const end = () => {
    client.destroy();
    upstream.destroy();
  };
  upstream.on('error', end);
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => finish(client));
  upstream.setTimeout(idleMs, end);
  if (early.length > 0) upstream.write(early);
  client.pipe(upstream);
  upstream.pipe(client);
}

/** Gathers bytes until `done` has an answer. Undefined: the client left or took too long. The stream is paused afterwards. */
function readUntil<T>(
  socket: Socket,
  deadlineMs: number,
  done: (bytes: Buffer) => T | undefined,
  early: Buffer = Buffer.alloc(0),
): Promise<{ value: T; bytes: Buffer } | undefined> {
  return new Promise((resolve) => {
    let bytes = early;
    const timer = setTimeout(() => finish(undefined), deadlineMs);
    const finish = (value: T | undefined) => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      socket.pause();
      resolve(value === undefined ? undefined : { value, bytes });
    };
    const look = () => {
      const value = done(bytes);
      if (value !== undefined) finish(value);
    };
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      look();
    };
    const onEnd = () => finish(undefined);
    socket.on('data', onData);
    socket.once('end', onEnd);
    socket.once('close', onEnd);
    // A stream that was paused by hand does not flow again by itself.
    socket.resume();
    if (early.length > 0) look();
  });
}

function settled<T>(value: T | 'more'): T | undefined {
  return value === 'more' ? undefined : value;
}

function aboutOf(head: RequestHead): Context['about'] {
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

function denial(head: RequestHead, verdict: Verdict): string {
  const { host, port } = head.endpoint;
  const entry = port === 443 ? host : `${host}:${port}`;
  const cure =
    verdict.reason === 'default-deny'
      ? `To allow it, add "${entry}" to [network] allow in sandbox.toml and run: sbx apply`
      : 'See [network] in sandbox.toml';
  return plainAnswer(
    403,
    'Forbidden',
    `sbx: ${host}:${port} is denied: ${verdict.detail}.\n${cure}`,
    'x-sbx-denied: 1\r\n',
  );
}

/** The last words to a client. */
function answer(socket: Socket, text: string): void {
  socket.end(text);
  finish(socket);
}

const LINGER_MS = 2_000;

/** Lets a client read the end, drops what it still sends, and does not wait for it for long: its place is needed. */
function finish(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const wait = () => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  };
  // A slow reader is waited for.
  if (socket.writableFinished) wait();
  else socket.once('finish', wait);
}

function plainAnswer(status: number, words: string, text: string, extra = ''): string {
  const body = `${text}\n`;
  return `HTTP/1.1 ${status} ${words}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${extra}Connection: close\r\n\r\n${body}`;
}

/** The first line of what came, as far as it can be shown. */
function printable(bytes: Buffer): string {
  return (
    bytes
      .toString('latin1', 0, 200)
      .split('\r\n')[0]
      ?.replace(/[^\x20-\x7e]/g, '?') ?? ''
  );
}
