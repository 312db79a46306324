/** Measures the cost of interception: the same requests through an intercepted and an opaque tunnel. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createSecureContext, type TLSSocket } from 'node:tls';
import { createGateway } from '../../lib/gateway/gateway.ts';
import { createAuthority } from '../../lib/gateway/tls/authority.ts';
import { systemResolver } from '../../lib/gateway/upstream/resolver.ts';
import { median, type Row } from '../tools/table.ts';
import { tunnel } from '../tools/ways.ts';

const REQUESTS = 1_000;
/** Below the request rate limit of a listener, which would delay requests */
const BATCH = 250;
const BYTES = 128 * 1024 * 1024;
const ROUNDS = 5;

export async function interception(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-t-'));
  const authority = await createAuthority();
  const chunk = Buffer.alloc(64 * 1024);
  const server = createServer(
    {
      SNICallback: (host, done) =>
        void authority.contextFor({ host, kind: 'name' }).then((made) => done(null, made), done),
    },
    (request, response) => {
      if (request.url !== '/bulk') return void response.end('ok');
      response.setHeader('content-length', BYTES);
      let left = BYTES;
      const more = () => {
        while (left > 0) {
          left -= chunk.length;
          if (!response.write(chunk)) return;
        }
        response.end();
      };
      response.on('drain', more);
      more();
    },
  );
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await using gateway = createGateway({
    resolver: { ...systemResolver(), resolve: async () => ['127.0.0.1'] },
    trust: () => context,
  });
  const context = createSecureContext({ ca: authority.pem });
  const allow = ['read.test', 'unread.test'].map((host) => ({ pattern: `${host}:${port}`, trusted: true }));
  const open = async (name: string) => {
    const path = join(dir, name);
    await gateway.open(name, {
      socketPath: path,
      auditPath: `${path}.audit`,
      authorityPath: `${path}.authority`,
      policy: { allow, deny: [], http: [{ host: 'read.test', methods: ['GET'], paths: ['/**'] }] },
    });
    const read = await inside(path, `read.test:${port}`, gateway.caOf(name) ?? '');
    const unread = await inside(path, `unread.test:${port}`, authority.pem);
    return { read, unread };
  };
  const times = { read: [] as number[], unread: [] as number[] };
  for (let batch = 0; batch < REQUESTS / BATCH; batch += 1) {
    const { read, unread } = await open(`listener-${batch}`);
    for (let index = 0; index < BATCH; index += 1) {
      times.unread.push(await ask(unread, `unread.test:${port}`, '/', 2));
      times.read.push(await ask(read, `read.test:${port}`, '/', 2));
    }
    for (const socket of [read, unread]) socket.destroy();
  }
  const { read, unread } = await open('listener-bulk');
  const bulk = { read: [] as number[], unread: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    bulk.unread.push(BYTES / 1e3 / (await ask(unread, `unread.test:${port}`, '/bulk', BYTES)));
    bulk.read.push(BYTES / 1e3 / (await ask(read, `read.test:${port}`, '/bulk', BYTES)));
  }
  for (const socket of [read, unread]) socket.destroy();
  server.close();
  server.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
  const [value, floor] = [median(times.read), median(times.unread)];
  return [
    {
      what: 'interception: added to a request, on keep-alive',
      unit: 'ms',
      value: value - floor,
      floor: { what: 'the whole request, unread', value: floor },
      heldTo: '≤ 0.5 ms',
      met: value - floor <= 0.5,
      samples: REQUESTS,
    },
    {
      what: 'bulk through interception',
      unit: 'MB/s',
      value: median(bulk.read),
      floor: { what: 'the same TLS, unread', value: median(bulk.unread) },
      samples: ROUNDS,
    },
  ];
}

async function inside(path: string, authority: string, ca: string): Promise<TLSSocket> {
  const socket = await tunnel({ path }, authority);
  return new Promise((resolve, reject) => {
    const secure = connect({ socket, servername: authority.split(':')[0] ?? '', ca }, () => resolve(secure));
    secure.once('error', reject);
  });
}

/** Milliseconds from the request to the last byte of its answer. */
function ask(socket: TLSSocket, host: string, path: string, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    let head = '';
    let left = bytes;
    const onData = (chunk: Buffer) => {
      if (head.includes('\r\n\r\n')) left -= chunk.length;
      else {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(head));
        left -= head.length - end - 4;
      }
      if (left > 0) return;
      socket.off('data', onData);
      resolve(performance.now() - from);
    };
    socket.on('data', onData);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
}
