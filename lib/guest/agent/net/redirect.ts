/** Redirects every outgoing TCP connection of the guest and its containers to the gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { type Attempts, createAttempts } from './attempts.ts';
import { isSynthetic, type Names } from './names.ts';
import { type Gateway, joinUpstream, openUpstream } from './proxy-stream.ts';
import REDIRECT_SCRIPT from './redirect.pl';

export interface RedirectOptions {
  names: Names;
  gateway: Gateway;
  /** The command of perl, which may have leading arguments */
  perl: string[];
}

/** Resolves once connections are redirected. @throws Error with the step that the kernel refused. */
export async function startRedirect(options: RedirectOptions): Promise<void> {
  const attempts = createAttempts();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => {});
    // A redirected connection keeps the address that its program asked for.
    const upstream = attempts.take(
      [client.localAddress, client.localPort, client.remotePort, client.remoteAddress].join(' '),
    );
    // Without one, it was made to the listener itself.
    if (upstream === undefined) client.resetAndDestroy();
    else joinUpstream(client, upstream);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', 1024, resolve);
  });
  await attach(server, attempts, options);
}

/** The perl process runs as long as the agent: the kernel removes the redirect when its last descriptor is closed. */
async function attach(server: Server, attempts: Attempts, options: RedirectOptions): Promise<void> {
  const [file = 'perl', ...args] = options.perl;
  const listening = descriptorOf(server);
  const child = spawn(file, [...args, '-e', REDIRECT_SCRIPT, process.arch], {
    stdio: ['pipe', 'pipe', 'inherit', listening],
  });
  child.stdin?.on('error', () => {});
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  // Before the first line: a connection may be named right behind it.
  lines.on('line', async (said) => {
    const [, word, key = ''] = /^(syn|gone) (.*)$/.exec(said) ?? [];
    if (word === 'gone') attempts.forget(key);
    if (word !== 'syn') return;
    const answer = await attempts.decide(key, (signal) => open(key, options, signal));
    if (answer !== undefined) child.stdin?.write(`${answer} ${key}\n`);
  });
  const line = await firstLine(child, lines);
  if (line !== 'ok') throw new Error(`the redirect could not be set up: ${line}`);
}

/** `key`: address and port of a new connection, and those of its source. */
async function open(key: string, { names, gateway }: RedirectOptions, signal: AbortSignal) {
  const [address = '', port] = key.split(' ');
  const host = isSynthetic(address) ? names.nameOf(address) : address;
  // To the guest itself, or to an address that no name has: nothing to proxy.
  if (host === undefined || host.startsWith('127.')) return undefined;
  return openUpstream(`${host}:${port}`, gateway, signal);
}

/** Node has no public API for it. */
function descriptorOf(server: Server): number {
  const handle = (server as Server & { _handle?: { fd?: number } })._handle;
  if (handle?.fd === undefined || handle.fd < 0) throw new Error('the listening socket has no descriptor');
  return handle.fd;
}

function firstLine(child: ChildProcess, lines: Interface): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(`perl exited with ${code}`));
    lines.once('line', resolve);
  });
}
