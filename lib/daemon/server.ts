/** Serves the daemon's API on the user's Unix socket: HTTP/1.1, with an upgrade for connections to guests. */
import { setMaxListeners } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { BUILD_HEADER, GUEST_PROTOCOL, PLACE_HEADER, SSH_AGENT_HEADER } from '../api/connection.ts';
import type { DaemonEvent, DaemonService, RequestContext } from '../api/contract.ts';
import type { WantedGuest } from '../api/guest-upgrade.ts';
import { SbxError, toErrorJson } from '../errors.ts';
import { ensurePrivateDir, type Home, socketPath } from '../paths.ts';
import * as bodies from './bodies.ts';

type Call = Context<{ Bindings: HttpBindings }>;

const BODY_MAX = 16 * 1024 * 1024;

export async function serve(home: Home, service: DaemonService): Promise<AsyncDisposable> {
  ensurePrivateDir(home.daemon.dir);
  const path = socketPath(home.daemon.socket);
  const server = createAdaptorServer({ fetch: appOf(service).fetch }) as Server;
  server.on('upgrade', (request, socket, head) => void upgrade(service, request, socket, head));
  // The folder's lock is held: a socket found here is left over from a killed daemon.
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

function appOf(service: DaemonService): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.onError((error, c) => c.json({ error: toErrorJson(error) }, statusOf(error)));
  app.notFound(() => {
    throw new SbxError('not-found', 'no such address');
  });
  app.use(async (c, next) => {
    checkBuild(service, c.req.header(BUILD_HEADER));
    noteSshAgent(service, c.req.header(SSH_AGENT_HEADER));
    await next();
  });
  app.use(
    bodyLimit({
      maxSize: BODY_MAX,
      onError: () => {
        throw new SbxError('usage', 'the request is too large');
      },
    }),
  );
  const v1 = app.basePath('/v1');
  v1.get('/status', (c) => c.json(service.status()));
  v1.get('/sandboxes', async (c) => c.json(await service.list()));
  v1.get('/sandboxes/:id', async (c) => c.json(await service.inspect(c.req.param('id'))));
  v1.get('/sandboxes/:id/stats', async (c) => c.json(await service.stats(c.req.param('id'))));
  v1.post('/plan', async (c) => c.json(await service.plan(await bodyOf(c, bodies.planBody))));
  v1.post('/apply', async (c) => {
    const body = await bodyOf(c, bodies.applyBody);
    return streamed(c, (context) => service.apply(body, context));
  });
  v1.post('/sandboxes/:id/start', (c) => streamed(c, (context) => service.start(c.req.param('id'), context)));
  for (const verb of ['stop', 'suspend', 'restart', 'reset'] as const)
    v1.post(`/sandboxes/:id/${verb}`, async (c) => {
      const body = await bodyOf(c, bodies.consentBody);
      return streamed(c, (context) => service[verb](c.req.param('id'), body, context));
    });
  v1.post('/sandboxes/:id/remove', async (c) => {
    const body = await bodyOf(c, bodies.removeBody);
    return streamed(c, (context) => service.remove(c.req.param('id'), body, context));
  });
  v1.post('/sandboxes/:id/snapshots', async (c) =>
    c.json(await service.snapshots(c.req.param('id'), await bodyOf(c, bodies.snapshotsBody))),
  );
  v1.post('/sandboxes/:id/fetch', async (c) => {
    const body = await bodyOf(c, bodies.fetchBody);
    return streamed(c, (context) => service.fetch(c.req.param('id'), body, context));
  });
  v1.post('/sandboxes/:id/diff', async (c) => {
    const body = await bodyOf(c, bodies.diffBody);
    return streamed(c, (context) => service.diff(c.req.param('id'), body, context));
  });
  v1.post('/sandboxes/:id/accept', async (c) =>
    c.json(await service.accept(c.req.param('id'), await bodyOf(c, bodies.acceptBody))),
  );
  v1.post('/sandboxes/:id/check-path', async (c) =>
    c.json(await service.checkPath(c.req.param('id'), await bodyOf(c, bodies.checkPathBody))),
  );
  v1.post('/sandboxes/:id/allow', async (c) =>
    c.json(await service.allow(c.req.param('id'), await bodyOf(c, bodies.allowBody))),
  );
  v1.post('/sandboxes/:id/ports', async (c) =>
    c.json(await service.changePorts(c.req.param('id'), await bodyOf(c, bodies.portsBody))),
  );
  v1.get('/sandboxes/:id/listening', async (c) => c.json(await service.listening(c.req.param('id'))));
  v1.post('/sandboxes/:id/declined-ports', async (c) =>
    c.json(await service.declinePorts(c.req.param('id'), await bodyOf(c, bodies.declineBody))),
  );
  v1.post('/sandboxes/:id/held-ports', async (c) => {
    const body = await bodyOf(c, bodies.holdPortsBody);
    return streamed(c, (context) => service.holdPorts(c.req.param('id'), body, context));
  });
  v1.post('/sandboxes/:id/deny', async (c) =>
    c.json(await service.deny(c.req.param('id'), await bodyOf(c, bodies.allowBody))),
  );
  v1.post('/sandboxes/:id/revoke', async (c) =>
    c.json(await service.revoke(c.req.param('id'), await bodyOf(c, bodies.revokeBody))),
  );
  v1.post('/approve', async (c) => c.json(await service.approve(await bodyOf(c, bodies.approveBody))));
  v1.get('/secrets', async (c) => c.json(await service.secrets()));
  v1.post('/secrets', async (c) => c.json(await service.setSecret(await bodyOf(c, bodies.secretBody))));
  v1.post('/secret-removal', async (c) => c.json(await service.removeSecret(await bodyOf(c, bodies.removalBody))));
  v1.post('/gc', async (c) => c.json(await service.gc(await bodyOf(c, bodies.gcBody))));
  v1.post('/shutdown', async (c) => {
    const end = await service.shutdown(await bodyOf(c, bodies.consentBody));
    c.env.outgoing.once('close', end);
    return c.json({});
  });
  return app;
}

/** @throws SbxError `usage` with the path of the wrong field */
async function bodyOf<T>(c: Call, schema: bodies.Body<T>): Promise<T> {
  const value: unknown = await c.req.json().catch((cause: unknown) => {
    throw cause instanceof SbxError ? cause : new SbxError('usage', 'the request is not JSON', { cause });
  });
  return bodies.parseBody(schema, value);
}

/** Answers with NDJSON: events as they occur, `done` or `error` last. A client that disconnects aborts the work at a safe point. */
async function streamed(c: Call, work: (context: RequestContext) => Promise<unknown>): Promise<Response> {
  const { outgoing: response } = c.env;
  const abort = new AbortController();
  // Each sandbox of the request adds a listener.
  setMaxListeners(0, abort.signal);
  response.on('close', () => {
    if (!response.writableEnded) abort.abort(new SbxError('cancelled', 'the client disconnected'));
  });
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const emit = (event: DaemonEvent) => void (response.destroyed || response.write(`${JSON.stringify(event)}\n`));
  try {
    emit({ type: 'done', result: (await work({ signal: abort.signal, emit })) ?? null });
  } catch (error) {
    emit({ type: 'error', error: toErrorJson(error) });
  }
  response.end();
  return RESPONSE_ALREADY_SENT;
}

async function upgrade(service: DaemonService, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => {});
  try {
    const wanted = wantedGuest(request.url ?? '');
    if (wanted === undefined || request.headers.upgrade !== GUEST_PROTOCOL)
      throw new SbxError('not-found', 'no such address');
    checkBuild(service, request.headers[BUILD_HEADER]);
    noteSshAgent(service, request.headers[SSH_AGENT_HEADER]);
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
    const head = [`HTTP/1.1 ${statusOf(error)} Refused`, 'Content-Type: application/json', 'Connection: close'];
    socket.end(`${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
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

/** Before anything is done: the client then starts a daemon of its own build and repeats the request. */
function checkBuild(service: DaemonService, wanted: string | string[] | undefined): void {
  if (wanted === undefined || decodeURIComponent(String(wanted)) === service.build) return;
  throw new SbxError('daemon-version', 'the running daemon is a different build', {
    hint: 'run the command again: the daemon is replaced on demand',
  });
}

function noteSshAgent(service: DaemonService, socket: string | string[] | undefined): void {
  if (socket !== undefined) service.noteSshAgent(decodeURIComponent(String(socket)));
}

function statusOf(error: unknown): 400 | 404 | 409 | 500 {
  if (!(error instanceof SbxError)) return 500;
  if (error.code === 'not-found') return 404;
  if (error.code === 'daemon-version') return 409;
  return error.kind === 'user' ? 400 : 500;
}
