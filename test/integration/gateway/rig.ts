/** A real listener on a real socket, with a fake resolver and a fake upstream that keep books. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Audit, openAudit } from '../../../lib/gateway/audit/audit.ts';
import type { Inspector } from '../../../lib/gateway/http/inspector.ts';
import type { Limits } from '../../../lib/gateway/limits/limits.ts';
import { compilePolicy } from '../../../lib/gateway/policy/policy.ts';
import type { AuditRecord, PolicyInput, PolicyRule } from '../../../lib/gateway/policy/types.ts';
import { type EgressListener, openEgress } from '../../../lib/gateway/proxy/listener.ts';
import type { Enforcement } from '../../../lib/gateway/request/enforcement.ts';
import { type Authority, NO_AUTHORITY } from '../../../lib/gateway/tls/authority.ts';
import type { Dialer } from '../../../lib/gateway/upstream/dial.ts';
import type { Resolver } from '../../../lib/gateway/upstream/resolver.ts';

export const PUBLIC = '93.184.215.14';
export const OWN_LAN = '192.168.7.5';
export const OWN_PUBLIC = '198.41.0.4';

export const rule = (pattern: string, more: Partial<PolicyRule> = {}): PolicyRule => ({
  pattern,
  text: pattern,
  file: '/p/sandbox.toml',
  line: 7,
  ...more,
});

/** The policy of the cases, and one more port for plain HTTP. */
export const POLICY: PolicyInput = {
  allow: ['api.ok.test:443', '*.wild.test:443', 'api.ok.test:80', '*.wild.test:80', 'api.ok.test:22'].map((pattern) =>
    rule(pattern),
  ),
  deny: [rule('bad.wild.test', { line: 9 })],
};

export interface RigOptions {
  policy?: PolicyInput;
  /** Default: every name has one public address */
  addresses?: Record<string, string[]>;
  resolver?: Resolver['resolve'];
  /** Serves each connection; default: says `hello` and echoes */
  upstream?: (socket: Socket) => void;
  limits?: Partial<Limits>;
  enforcement?: Partial<Enforcement>;
  audit?: Audit;
  authority?: Authority;
  trust?: SecureContext;
  inspector?: Inspector;
  signerSocket?: string;
  dialer?: (port: number) => Dialer;
  /** Where a dialer of its own keeps its book */
  dials?: string[];
}

export interface Rig extends AsyncDisposable {
  listener: EgressListener;
  socketPath: string;
  /** Names that were looked up */
  lookups: string[];
  /** `address:port` of every dial */
  dials: string[];
  /** All that any upstream received */
  received(): string;
  records(): AuditRecord[];
  client(): Promise<Client>;
  /** Sends one message on a connection of its own and waits for its end */
  ask(bytes: string | Buffer): Promise<string>;
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-listener-'));
  const lookups: string[] = [];
  const dials = options.dials ?? [];
  const upstream = await startUpstream(options.upstream ?? echo);
  const clients = new Set<Client>();
  const auditPath = join(dir, 'audit.jsonl');
  const socketPath = join(dir, 'proxy');
  const listener = await openEgress({
    socketPath,
    sandbox: 'box',
    policy: compilePolicy(options.policy ?? POLICY),
    resolver: fakeResolver(options, lookups),
    dialer: options.dialer?.(upstream.port) ?? fakeDialer(upstream.port, dials),
    audit: options.audit ?? openAudit(auditPath),
    authority: options.authority ?? NO_AUTHORITY,
    trust: () => options.trust ?? createSecureContext(),
    ...(options.inspector === undefined ? {} : { inspector: options.inspector }),
    ...(options.signerSocket === undefined ? {} : { signerSocket: options.signerSocket }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.enforcement === undefined ? {} : { enforcement: options.enforcement }),
  });
  const client = async () => {
    const one = await openClient(socketPath);
    clients.add(one);
    return one;
  };
  return {
    listener,
    socketPath,
    lookups,
    dials,
    received: () => upstream.received.join(''),
    records: () =>
      readFileSync(auditPath, { encoding: 'utf8', flag: 'a+' })
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as AuditRecord),
    client,
    async ask(bytes) {
      const one = await client();
      one.send(bytes);
      return one.end();
    },
    async [Symbol.asyncDispose]() {
      for (const one of clients) one.socket.destroy();
      await listener.close();
      await upstream.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function fakeResolver(options: RigOptions, lookups: string[]): Resolver {
  return {
    async resolve(host, signal) {
      lookups.push(host);
      if (options.resolver !== undefined) return options.resolver(host, signal);
      return options.addresses?.[host] ?? [PUBLIC];
    },
    ownAddresses: () => ['127.0.0.1', '::1', OWN_LAN, OWN_PUBLIC],
  };
}

/** Whatever address it is: the fake upstream answers. */
export function fakeDialer(upstreamPort: number, dials: string[]): Dialer {
  return {
    resolves: () => false,
    dial: ({ addresses, port }) =>
      new Promise((resolve, reject) => {
        const address = addresses[0] ?? 'none';
        dials.push(`${address}:${port}`);
        const socket = connect({ host: '127.0.0.1', port: upstreamPort, allowHalfOpen: true });
        socket.once('error', reject);
        socket.once('connect', () => {
          socket.off('error', reject).on('error', () => socket.destroy());
          resolve({ socket, address, proxy: undefined });
        });
      }),
  };
}

function echo(socket: Socket): void {
  socket.write('hello ');
  socket.pipe(socket);
}

/** Answers each plain request with 200 and a short body. */
export function answering(head = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'): (socket: Socket) => void {
  return (socket) => void socket.once('data', () => socket.end(head));
}

export async function startUpstream(serve: (socket: Socket) => void) {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => received.push(bytes.toString('latin1')));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    received,
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export interface Client {
  socket: Socket;
  send(bytes: string | Buffer): void;
  text(): string;
  /** Waits until what came contains it; throws when the connection ends before */
  until(text: string): Promise<string>;
  /** Waits for the end; what came until then */
  end(): Promise<string>;
}

export function openClient(path: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(clientOf(socket));
    });
  });
}

export function clientOf(socket: Socket): Client {
  const state = { text: '', ended: false, wake: () => {} };
  const note = (ended: boolean) => {
    state.ended ||= ended;
    state.wake();
  };
  socket.on('data', (bytes: Buffer) => {
    state.text += bytes.toString('latin1');
    note(false);
  });
  socket
    .on('error', () => note(true))
    .on('end', () => note(true))
    .on('close', () => note(true));
  const until = async (done: () => boolean) => {
    while (!done() && !state.ended)
      await new Promise<void>((wake) => {
        state.wake = wake;
      });
  };
  return {
    socket,
    send: (bytes) => void socket.write(bytes, 'latin1'),
    text: () => state.text,
    async until(text) {
      await until(() => state.text.includes(text));
      if (!state.text.includes(text)) throw new Error(`ended with ${JSON.stringify(state.text)}`);
      return state.text;
    },
    async end() {
      await until(() => false);
      return state.text;
    },
  };
}

export const CONNECT = (authority: string, more = '') => `CONNECT ${authority} HTTP/1.1\r\nHost: x.test\r\n${more}\r\n`;

export const GET = (url: string, more = '', host = /^http:\/\/([^/]*)/.exec(url)?.[1]) =>
  `GET ${url} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
