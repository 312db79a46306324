/** Runs in a network namespace of its own: the redirect with a gateway that opens, refuses or holds, and programs that connect. Prints JSON. */
import { execFileSync, spawn } from 'node:child_process';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createNames } from '../../../../../lib/guest/agent/net/names.ts';
import { startRedirect } from '../../../../../lib/guest/agent/net/redirect.ts';

execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('ip', ['address', 'add', '10.0.2.15/32', 'dev', 'lo']);

const asked: string[] = [];
const held: Socket[] = [];
const gateway = createServer({ allowHalfOpen: true }, (socket) => {
  socket
    .on('error', () => {})
    .once('data', (bytes: Buffer) => {
      const target = bytes.toString().split(' ')[1] ?? '';
      asked.push(target);
      if (target.startsWith('slow.test')) held.push(socket);
      else if (target.startsWith('given-up.test')) givenUp(socket);
      else if (target.startsWith('closed.test')) socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      else open(socket);
    });
});
let givenUp = (_socket: Socket): void => {};
function open(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\n\r\nearly ');
  socket.pipe(socket);
}
await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
const names = createNames();
await startRedirect({
  names,
  gateway: { host: '127.0.0.1', port: (gateway.address() as AddressInfo).port },
  perl: ['perl'],
});

/** `open` with what came, or the error's code */
function attempt(host: string, port: number): Promise<string> {
  const socket = connect({ host, port, allowHalfOpen: true });
  let connected = '';
  let text = '';
  socket.once('connect', () => {
    connected = 'open';
    socket.end(`hello ${port}`);
  });
  socket.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(`${connected}${error.code}`));
    socket.once('end', () => resolve(`${connected} ${text}`));
  });
}

/** A program that does not wait for the gateway: resolves once the gateway's connection has ended */
async function giveUp(): Promise<string> {
  const asked = new Promise<Socket>((resolve) => {
    givenUp = resolve;
  });
  const program = connect({ host: names.addressOf('given-up.test'), port: 5432 });
  const socket = await asked;
  const ended = new Promise((resolve) => socket.once('close', resolve).on('end', () => socket.end()));
  program.destroy();
  await ended;
  return 'ended';
}

/** What a container gets, as a line for each: it has a network of its own behind a bridge, and knows no proxy. */
async function fromContainer(targets: [host: string, port: number][]): Promise<string[]> {
  const program = `
    const { connect } = require('node:net');
    const attempt = (host, port) => new Promise((resolve) => {
      const socket = connect({ host, port, allowHalfOpen: true });
      let text = '';
      socket.on('connect', () => socket.end('hello ' + port)).on('data', (chunk) => (text += chunk));
      socket.once('error', ({ code }) => resolve(code)).once('end', () => resolve(text));
    });
    (async () => {
      for (const [host, port] of ${JSON.stringify(targets)}) console.log(await attempt(host, port));
    })();
  `;
  const set = 'read x; ip address add 172.17.0.2/16 dev eth0; ip link set eth0 up; ip route add default via 172.17.0.1';
  const argv = ['--net', 'sh', '-c', `${set}; exec "$0" -e "$1"`, process.execPath, program];
  const child = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ip = (...args: string[]) => execFileSync('ip', args);
  ip('link', 'add', 'docker0', 'type', 'bridge');
  ip('address', 'add', '172.17.0.1/16', 'dev', 'docker0');
  ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(child.pid));
  for (const device of ['docker0', 'veth0']) ip('link', 'set', device, 'up');
  ip('link', 'set', 'veth0', 'master', 'docker0');
  child.stdin.end('\n');
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return text.trim().split('\n');
}

const slow = attempt(names.addressOf('slow.test'), 5432);
while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
const early = await Promise.race([slow, new Promise((resolve) => setImmediate(resolve, 'waits'))]);
const at = (name: string, port: number) => attempt(names.addressOf(name), port);
const results = {
  open: await at('open.test', 5432),
  address: await attempt('192.0.2.7', 80),
  closed: await Promise.all([at('closed.test', 22), at('closed.test', 5432)]),
  unknown: await attempt('198.19.255.1', 80),
  many: new Set(await Promise.all(Array.from({ length: 100 }, () => at('open.test', 7)))),
  container: await fromContainer([
    [names.addressOf('open.test'), 5433],
    [names.addressOf('closed.test'), 5433],
    ['192.0.2.8', 80],
    ['172.17.0.1', 80],
    ['10.0.2.15', 80],
  ]),
  early,
  // Takes some seconds, in which the slow one repeats its packet
  givenUp: await giveUp(),
  slow: '',
};
const [first] = held;
if (first !== undefined) open(first);
results.slow = await slow;
process.stdout.write(JSON.stringify({ ...results, many: [...results.many], asked: [...new Set(asked)] }));
process.exit(0);
