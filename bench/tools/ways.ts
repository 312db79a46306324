/** Ways to one TCP server: the egress proxy of sbx, and others beside it. Squid and tinyproxy where they are installed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Way {
  name: string;
  /** Bytes go to the server from here on */
  open(): Promise<Socket>;
}

export interface Ways extends Disposable {
  all: Way[];
}

export async function startWays(dir: string, proxy: string, port: number): Promise<Ways> {
  const children: ChildProcess[] = [];
  const start = (file: string, args: string[]) => void children.push(spawn(file, args, { stdio: 'ignore' }));
  const plain = join(dir, 'socat');
  start('socat', [`UNIX-LISTEN:${plain},fork`, `TCP:127.0.0.1:${port}`]);
  const all: Way[] = [
    { name: 'sbx', open: () => tunnel({ path: proxy }, `bench.test:${port}`) },
    { name: 'socat', open: () => opened({ path: plain }) },
  ];
  for (const [name, file, args] of [
    ['squid', '/usr/sbin/squid', (conf: string) => ['-N', '-f', conf]],
    ['tinyproxy', '/usr/bin/tinyproxy', (conf: string) => ['-d', '-c', conf]],
  ] as const) {
    if (!existsSync(file)) continue;
    const at = await freePort();
    const conf = join(dir, `${name}.conf`);
    writeFileSync(conf, CONFIGURATIONS[name](at));
    start(file, args(conf));
    all.push({ name, open: () => tunnel({ port: at, host: '127.0.0.1' }, `127.0.0.1:${port}`) });
  }
  for (const way of all) await answering(way);
  return {
    all,
    [Symbol.dispose]() {
      for (const child of children) child.kill();
    },
  };
}

/** The least that opens any tunnel, each with its log off. */
const CONFIGURATIONS = {
  squid: (port: number) =>
    `http_port 127.0.0.1:${port}\nhttp_access allow all\naccess_log none\ncache_log /dev/null\ncache deny all\npid_filename none\nnetdb_filename none\nlogfile_rotate 0\n`,
  tinyproxy: (port: number) =>
    `Port ${port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 200\nLogLevel Critical\nLogFile "/dev/null"\n`,
};

async function answering(way: Way): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const socket = await way.open().catch((error: unknown) => {
      if (tries > 100) throw error;
    });
    if (socket !== undefined) return void socket.destroy();
    await sleep(100);
  }
}

type Place = { path: string } | { port: number; host: string };

function opened(place: Place): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ noDelay: true, ...place });
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket.off('error', reject)));
  });
}

export async function tunnel(place: Place, authority: string): Promise<Socket> {
  const socket = await opened(place);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    const chunk = await new Promise<Buffer | undefined>((resolve) => {
      socket.once('data', resolve).once('close', () => resolve(undefined));
    });
    if (chunk === undefined) throw new Error('the proxy closed the connection');
    head += chunk.toString('latin1');
  }
  socket.pause();
  const rest = Buffer.from(head.slice(head.indexOf('\r\n\r\n') + 4), 'latin1');
  if (!/^HTTP\/1\.\d 200/.test(head)) throw new Error(head.split('\r\n', 1)[0] ?? '');
  if (rest.length > 0) socket.unshift(rest);
  return socket;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
