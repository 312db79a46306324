/** One server for all doubles, which picks by the name that the client asks for, and keeps a book of every request. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Authority } from '../../lib/gateway/tls/authority.ts';
import type { Double, DoubleAnswer, DoubleRequest, Script } from './double.ts';
import { serveWebSocket } from './websocket-server.ts';

export interface SeenRequest extends DoubleRequest {
  /** Name of the double; undefined: none has this host */
  double: string | undefined;
  /** Name of the TLS handshake; empty without TLS */
  sni: string;
  websocket: boolean;
  /** 404: the double has no such endpoint */
  status: number;
}

export interface ModelServer extends AsyncDisposable {
  port: number;
  seen: SeenRequest[];
}

export interface ModelServerOptions {
  doubles: Double[];
  /** Signs its certificates; undefined: it speaks plain HTTP */
  authority?: Authority;
  script: Script;
}

export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const seen: SeenRequest[] = [];
  const sockets = new Set<Duplex>();
  const http = createServer((request, response) => {
    serve(request, response, options, seen).catch(() => response.destroy());
  });
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    upgrade({ request, socket, head }, options, seen),
  );
  const server = options.authority === undefined ? http : withTls(http, options.authority);
  server.on('connection', (socket: Duplex) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function withTls(http: Server, authority: Authority): TlsServer {
  const server = createTlsServer(
    {
      ALPNProtocols: ['http/1.1'],
      SNICallback: (name, done) => {
        authority.contextFor({ host: name, kind: 'name' }).then((context) => done(null, context), done);
      },
    },
    (socket) => http.emit('connection', socket),
  );
  return server.on('tlsClientError', () => {});
}

export const serves = (double: Double, host: string): boolean =>
  double.hosts.some((pattern) => (pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern));

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  { doubles, script }: ModelServerOptions,
  seen: SeenRequest[],
): Promise<void> {
  const request = await requestOf(incoming);
  const double = doubles.find((one) => serves(one, request.host));
  const known = double?.answer(request, script);
  const answer = known ?? double?.unknown(request) ?? NO_DOUBLE;
  const status = 'status' in answer ? answer.status : 200;
  seen.push({ ...request, double: double?.name, sni: sniOf(incoming), websocket: false, status });
  send(response, answer);
}

const NO_DOUBLE: DoubleAnswer = { status: 421, json: { error: 'no double has this host' } };

function send(response: ServerResponse, answer: DoubleAnswer): void {
  if ('json' in answer) {
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(JSON.stringify(answer.json));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', ...answer.headers });
  for (const { event, data } of answer.events) {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`);
  }
  response.end();
}

function upgrade(
  opening: { request: IncomingMessage; socket: Duplex; head: Buffer },
  { doubles, script }: ModelServerOptions,
  seen: SeenRequest[],
): void {
  const request = headOf(opening.request);
  const double = doubles.find((one) => serves(one, request.host));
  const answer = double?.socket?.(request, script);
  const note = { ...request, double: double?.name, sni: sniOf(opening.request), websocket: true };
  seen.push({ ...note, status: answer === undefined ? 404 : 101 });
  if (answer === undefined) {
    opening.socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  serveWebSocket(opening, (text) => {
    const body = jsonOf(text);
    seen.push({ ...note, body, status: 200 });
    return answer(body).map((event) => JSON.stringify(event));
  });
}

async function requestOf(incoming: IncomingMessage): Promise<DoubleRequest> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return { ...headOf(incoming), body: jsonOf(Buffer.concat(parts).toString()) };
}

function headOf({ method = '', url = '/', headers }: IncomingMessage): DoubleRequest {
  const { hostname, pathname, searchParams } = new URL(url, `https://${headers.host ?? 'nowhere.invalid'}`);
  return { host: hostname, method, path: pathname, query: searchParams, headers, body: undefined };
}

const sniOf = ({ socket }: IncomingMessage): string => String((socket as TLSSocket).servername || '');

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
