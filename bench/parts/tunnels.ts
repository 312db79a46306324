/** Measures tunnels through the egress proxy against other proxies: throughput, and time to first byte. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '../../lib/gateway/gateway.ts';
import { median, type Row, timed } from '../tools/table.ts';
import { startWays, type Way } from '../tools/ways.ts';

const BYTES = 512 * 1024 * 1024;
const ROUNDS = 5;
const OPENINGS = 200;

export async function tunnels(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-t-'));
  const server = createServer((socket) => serve(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const listener = join(dir, 'egress');
  await using gateway = createGateway({ resolver: { resolve: async () => ['127.0.0.1'], ownAddresses: () => [] } });
  await gateway.open('bench', {
    socketPath: listener,
    auditPath: join(dir, 'audit'),
    policy: { allow: [{ pattern: `bench.test:${port}`, trusted: true }], deny: [] },
  });
  using ways = await startWays(dir, listener, port);
  const bulk = new Map(ways.all.map(({ name }) => [name, [] as number[]]));
  const first = new Map(ways.all.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round += 1) for (const way of ways.all) bulk.get(way.name)?.push(await pull(way));
  for (let round = 0; round < OPENINGS; round += 1)
    for (const way of ways.all) first.get(way.name)?.push(await timed(() => firstByte(way)));
  server.close();
  rmSync(dir, { recursive: true, force: true });
  return [...rowsOf('bulk through a tunnel', 'MB/s', bulk), ...rowsOf('a tunnel, until its first byte', 'ms', first)];
}

/** Only the row of sbx has a goal, relative to socat. */
function rowsOf(what: string, unit: 'MB/s' | 'ms', found: Map<string, number[]>): Row[] {
  const floor = { what: 'socat at the same place', value: median(found.get('socat') ?? []) };
  return [...found]
    .filter(([name]) => name !== 'socat')
    .map(([name, values]) => {
      const value = median(values);
      const common = {
        what: name === 'sbx' ? what : `the same by ${name}`,
        unit,
        value,
        floor,
        samples: values.length,
      };
      if (name !== 'sbx' || unit === 'ms') return common;
      return { ...common, heldTo: '≥ 0.8 × floor', met: value >= 0.8 * floor.value };
    });
}

/** `b`: sends bulk data; anything else is echoed. */
function serve(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.once('data', (bytes: Buffer) => {
    if (bytes[0] === 98) blast(socket);
    else socket.end(bytes);
  });
}

function blast(socket: Socket): void {
  const chunk = Buffer.alloc(256 * 1024);
  let left = BYTES;
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

async function pull(way: Way): Promise<number> {
  const socket = await way.open();
  const from = performance.now();
  let bytes = 0;
  socket.write('b');
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  if (bytes < BYTES) throw new Error(`${way.name}: only ${bytes} bytes came`);
  return bytes / 1e6 / ((performance.now() - from) / 1000);
}

async function firstByte(way: Way): Promise<void> {
  const socket = await way.open();
  socket.write('x');
  for await (const chunk of socket) if ((chunk as Buffer).length > 0) break;
  socket.destroy();
}
