/** A door on a real Unix socket, with a fake resolver and one real TCP server standing for every upstream. Both count what reaches them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Audit, openAudit } from '../../../lib/gateway/audit.ts';
import { type Controls, type Door, type Limits, openDoor } from '../../../lib/gateway/door.ts';
import { compilePolicy } from '../../../lib/gateway/policy.ts';
import type { AuditRecord, PolicyInput } from '../../../lib/gateway/types.ts';

export const POLICY: PolicyInput = {
  allow: [
    { pattern: 'api.ok.test:443' },
    { pattern: 'api.ok.test:80' },
    { pattern: '*.wild.test:443' },
    { pattern: 'plain.ok.test:9000' },
  ],
  deny: [{ pattern: 'bad.wild.test' }, { pattern: '198.18.66.0/24:443' }],
};

const PUBLIC = '93.184.216.34';

export interface Rig extends AsyncDisposable {
  door: Door;
  /** Sends bytes, returns everything that came back until the end or `quietMs` of silence */
  send(bytes: string | Buffer | (string | Buffer)[], quietMs?: number): Promise<string>;
  open(): Socket;
  audit(): AuditRecord[];
  /** Names that were resolved */
  resolved: string[];
  /** Addresses that were dialled */
  dialled: string[];
  /** What the upstream was sent */
  upstream: string[];
  /** Connections that the upstream holds open now */
  held(): number;
}

export interface RigOptions {
  addresses?: Record<string, string[][]>;
  controls?: Controls;
  limits?: Limits;
  policy?: PolicyInput;
  auditPath?: string;
  log?: Audit;
  /** Awaited before a dial connects */
  dialGate?: Promise<void>;
  resolveGate?: Promise<void>;
  reply?: string;
}

export async function rig(options: RigOptions = {}): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-door-'));
  const [resolved, dialled, received]: [string[], string[], string[]] = [[], [], []];
  const live = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    live.add(socket);
    socket.once('close', () => live.delete(socket));
    socket.once('end', () => socket.end());
    socket.on('error', () => {});
    const index = received.push('') - 1;
    socket.on('data', (data) => {
      received[index] += data.toString('latin1');
      if (options.reply !== '')
        socket.end(options.reply ?? 'HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const auditPath = options.auditPath ?? join(dir, 'audit');
  const door = await openDoor({
    socketPath: join(dir, 's'),
    sandbox: 'test',
    policy: compilePolicy(options.policy ?? POLICY),
    audit: options.log ?? openAudit(auditPath),
    ...(options.controls === undefined ? {} : { controls: options.controls }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    upstream: {
      async resolve(host) {
        const answers = options.addresses?.[host] ?? [[PUBLIC]];
        const times = resolved.filter((one) => one === host).length;
        resolved.push(host);
        await options.resolveGate;
        return answers[Math.min(times, answers.length - 1)] ?? [];
      },
      dial: async (addresses, wanted) => {
        dialled.push(`${addresses[0]}:${wanted}`);
        await options.dialGate;
        return new Promise((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
          socket.once('connect', () => resolve(socket));
          socket.once('error', reject);
        });
      },
      ownAddresses: () => ['203.0.113.9'],
    },
  });
  const open = () => {
    const socket = connect(join(dir, 's'));
    socket.on('error', () => {});
    return socket;
  };
  return {
    door,
    resolved,
    dialled,
    upstream: received,
    held: () => live.size,
    open,
    send: (bytes, quietMs = 400) => exchange(open(), Array.isArray(bytes) ? bytes : [bytes], quietMs),
    audit: () =>
      readFileSync(auditPath, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as AuditRecord),
    async [Symbol.asyncDispose]() {
      await door[Symbol.asyncDispose]();
      for (const socket of live) socket.destroy();
      server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function exchange(socket: Socket, parts: (string | Buffer)[], quietMs: number): Promise<string> {
  const chunks: Buffer[] = [];
  const ended = new Promise<void>((resolve) => {
    let timer = setTimeout(resolve, quietMs);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(resolve, quietMs);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  for (const part of parts) {
    socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  socket.destroy();
  return Buffer.concat(chunks).toString('latin1');
}

/** A ClientHello with this server name, or without one. */
export function clientHello(name: string | undefined): Buffer {
  const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
  const block = (body: Buffer) => Buffer.concat([u16(body.length), body]);
  const entry =
    name === undefined ? Buffer.alloc(0) : block(Buffer.concat([Buffer.from([0]), block(Buffer.from(name))]));
  const extensions = name === undefined ? Buffer.alloc(0) : block(Buffer.concat([u16(0), block(entry)]));
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    block(u16(0x1301)),
    Buffer.from([1, 0]),
    extensions,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), block(body)]);
  return Buffer.concat([Buffer.from([22, 3, 1]), block(message)]);
}

export const connectTo = (authority: string) => `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
