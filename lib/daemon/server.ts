/** HTTP/1.1 on the user's own Unix socket: routes to the service, nothing else. */
import { setMaxListeners } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { BUILD_HEADER, GUEST_PROTOCOL, PLACE_HEADER } from '../api/connection.ts';
import type {
  AllowRequest,
  ApplyRequest,
  ApproveRequest,
  DaemonEvent,
  DaemonService,
  GcRequest,
  PlanRequest,
  RequestContext,
  SecretRequest,
} from '../api/contract.ts';
import type { WantedGuest } from '../api/guest-upgrade.ts';
import { SbxError, toErrorJson } from '../errors.ts';
import { ensurePrivateDir, type Home, socketPath } from '../paths.ts';

const BODY_MAX = 16 * 1024 * 1024;

export async function serve(home: Home, service: DaemonService): Promise<AsyncDisposable> {
  ensurePrivateDir(home.daemon.dir);
  const path = socketPath(home.daemon.socket);
  const server = createServer((request, response) => void handle(service, request, response));
  server.on('upgrade', (request, socket, head) => void upgrade(service, request, socket, head));
  // The folder's lock is held: a socket that stands here belongs to nobody.
  rmSync(path, { force: true });
  await listen(server, path);
  chmodSync(path, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(path, { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

async function handle(service: DaemonService, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const [, version, area = '', id = '', action = ''] = (request.url ?? '').split('/');
    if (version !== 'v1') throw new SbxError('not-found', 'no such address');
    refuseOtherBuild(service, request);
    await route(
      service,
      request,
      response,
      `${request.method} ${area}${id === '' ? '' : '/:id'}${action === '' ? '' : `/${action}`}`,
      decodeURIComponent(id),
    );
  } catch (error) {
    if (!response.headersSent) answer(response, statusOf(error), { error: toErrorJson(error) });
    else response.destroy();
  }
}

async function route(
  service: DaemonService,
  request: IncomingMessage,
  response: ServerResponse,
  key: string,
  id: string,
): Promise<void> {
  const stream = (work: (context: RequestContext) => Promise<unknown>) => streamed(request, response, work);
  switch (key) {
    case 'GET status':
      return answer(response, 200, service.status());
    case 'GET sandboxes':
      return answer(response, 200, await service.list());
    case 'GET sandboxes/:id':
      return answer(response, 200, await service.inspect(id));
    case 'POST plan':
      return answer(response, 200, await service.plan((await bodyOf(request)) as PlanRequest));
    case 'POST apply': {
      const body = (await bodyOf(request)) as ApplyRequest;
      return stream((context) => service.apply(body, context));
    }
    case 'POST sandboxes/:id/stop':
      return stream((context) => service.stop(id, context));
    case 'POST sandboxes/:id/start':
      return stream((context) => service.start(id, context));
    case 'POST sandboxes/:id/restart':
      return stream((context) => service.restart(id, context));
    case 'POST sandboxes/:id/reset':
      return stream((context) => service.reset(id, context));
    case 'POST sandboxes/:id/remove':
      return stream((context) => service.remove(id, context));
    case 'POST sandboxes/:id/allow':
      return answer(response, 200, await service.allow(id, (await bodyOf(request)) as AllowRequest));
    case 'POST approve':
      return answer(response, 200, await service.approve((await bodyOf(request)) as ApproveRequest));
    case 'GET secrets':
      return answer(response, 200, await service.secrets());
    case 'POST secrets':
      return answer(response, 200, await service.setSecret((await bodyOf(request)) as SecretRequest));
    case 'POST secret-removal':
      return answer(
        response,
        200,
        await service.removeSecret((await bodyOf(request)) as Pick<SecretRequest, 'name' | 'scope'>),
      );
    case 'POST gc':
      return answer(response, 200, await service.gc((await bodyOf(request)) as GcRequest));
    case 'POST shutdown':
      answer(response, 200, {});
      return service.shutdown();
    default:
      throw new SbxError('not-found', 'no such address');
  }
}

/** NDJSON: events as they come, `done` or `error` last. A client that goes away aborts the work at a safe point. */
async function streamed(
  request: IncomingMessage,
  response: ServerResponse,
  work: (context: RequestContext) => Promise<unknown>,
): Promise<void> {
  const abort = new AbortController();
  // Every sandbox of the request listens.
  setMaxListeners(0, abort.signal);
  response.on('close', () => {
    if (!response.writableEnded) abort.abort(new SbxError('cancelled', 'the client has gone'));
  });
  request.resume();
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const emit = (event: DaemonEvent) => void (response.destroyed || response.write(`${JSON.stringify(event)}\n`));
  try {
    emit({ type: 'done', result: (await work({ signal: abort.signal, emit })) ?? null });
  } catch (error) {
    emit({ type: 'error', error: toErrorJson(error) });
  }
  response.end();
}

async function upgrade(service: DaemonService, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => {});
  try {
    const wanted = wantedGuest(request.url ?? '');
    if (wanted === undefined || request.headers.upgrade !== GUEST_PROTOCOL)
      throw new SbxError('not-found', 'no such address');
    refuseOtherBuild(service, request);
    const { place, serve: serveGuest } = await service.guest(wanted);
    const fields = [
      'Connection: Upgrade',
      `Upgrade: ${GUEST_PROTOCOL}`,
      `${PLACE_HEADER}: ${encodeURIComponent(JSON.stringify(place))}`,
    ];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('\r\n')}\r\n\r\n`);
    if (head.length > 0) socket.unshift(head);
    await serveGuest(socket);
  } catch (error) {
    const body = JSON.stringify({ error: toErrorJson(error) });
    socket.end(
      `HTTP/1.1 ${statusOf(error)} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

/** `/v1/sandboxes/ID/guest` or `/v1/guest?cwd=DIR&name=NAME`; undefined for any other address. */
function wantedGuest(address: string): WantedGuest | undefined {
  const id = /^\/v1\/sandboxes\/([^/]+)\/guest$/.exec(address)?.[1];
  if (id !== undefined) return { id: decodeURIComponent(id) };
  if (!address.startsWith('/v1/guest?')) return undefined;
  const query = new URLSearchParams(address.slice(address.indexOf('?')));
  const cwd = query.get('cwd');
  return cwd === null ? undefined : { cwd, name: query.get('name') ?? undefined };
}

/** Before anything is done: its client starts one of its own build, and asks that one. */
function refuseOtherBuild(service: DaemonService, request: IncomingMessage): void {
  const wanted = request.headers[BUILD_HEADER];
  if (wanted === undefined || decodeURIComponent(String(wanted)) === service.build) return;
  throw new SbxError('daemon-version', 'the sbx daemon is of another build', {
    hint: 'run the command again: the daemon is replaced on demand',
  });
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > BODY_MAX) throw new SbxError('usage', 'the request is too large');
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (cause) {
    throw new SbxError('usage', 'the request is not JSON', { cause });
  }
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function statusOf(error: unknown): number {
  if (!(error instanceof SbxError)) return 500;
  if (error.code === 'not-found') return 404;
  if (error.code === 'daemon-version') return 409;
  return error.kind === 'user' ? 400 : 500;
}
