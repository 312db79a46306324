/** Bulk through the gateway's door on the host, against socat at the same place. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGateway } from '../lib/gateway/gateway.ts';
import { median, type Row } from './table.ts';

const BYTES = 512 * 1024 * 1024;
const ROUNDS = 5;

export async function tunnel(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-t-'));
  const server = createServer((socket) => blast(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = portOf(server);
  const door = join(dir, 'door');
  const plain = join(dir, 'socat');
  await using gateway = createGateway({ resolver: { resolve: async () => ['127.0.0.1'], ownAddresses: () => [] } });
  await gateway.open('bench', {
    socketPath: door,
    auditPath: join(dir, 'audit'),
    policy: { allow: [{ pattern: `bench.test:${port}`, trusted: true }], deny: [] },
  });
  const socat = spawn('socat', [`UNIX-LISTEN:${plain},fork`, `TCP:127.0.0.1:${port}`], { stdio: 'ignore' });
  await sleep(500);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    theirs.push(await pull(plain, undefined));
    ours.push(await pull(door, `CONNECT bench.test:${port} HTTP/1.1\r\nHost: bench.test:${port}\r\n\r\n`));
  }
  socat.kill();
  server.close();
  rmSync(dir, { recursive: true, force: true });
  const [value, floor] = [median(ours), median(theirs)];
  return [
    {
      what: 'bulk through the gateway',
      unit: 'MB/s',
      value,
      floor: { what: 'socat at the same place', value: floor },
      heldTo: '≥ 0.8 × floor',
      met: value >= 0.8 * floor,
      samples: ROUNDS,
    },
  ];
}

function blast(socket: Socket): void {
  const chunk = Buffer.alloc(256 * 1024);
  let left = BYTES;
  socket.on('error', () => {});
  const more = () => {
    while (left > 0) {
      left -= chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.end();
  };
  socket.on('drain', more);
  more();
}

function pull(path: string, hello: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const from = performance.now();
    let bytes = 0;
    if (hello !== undefined) socket.write(hello);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.on('error', reject);
    socket.on('end', () =>
      bytes >= BYTES
        ? resolve(bytes / 1e6 / ((performance.now() - from) / 1000))
        : reject(new Error(`only ${bytes} bytes came`)),
    );
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
