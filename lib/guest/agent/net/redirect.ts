/** Redirects every outgoing TCP connection of the guest to the gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { createInterface } from 'node:readline';
import { isSynthetic, type Names } from './names.ts';
import { type Gateway, proxyStream } from './proxy-stream.ts';
import REDIRECT_SCRIPT from './redirect.pl';

export interface RedirectOptions {
  names: Names;
  gateway: Gateway;
  /** The command of perl, which may have leading arguments */
  perl: string[];
}

/** Resolves once connections are redirected. @throws Error with the step that the kernel refused. */
export async function startRedirect({ names, gateway, perl }: RedirectOptions): Promise<void> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    // A redirected connection keeps the address that its program asked for.
    const { localAddress = '', localPort = 0 } = client;
    client.on('error', () => {});
    const host = isSynthetic(localAddress) ? names.nameOf(localAddress) : localAddress;
    // To the listener itself, or to an address that no name has: nothing to proxy.
    if (host === undefined || host.startsWith('127.')) return void client.resetAndDestroy();
    proxyStream(client, `${host}:${localPort}`, gateway);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', 1024, resolve);
  });
  await attach(server, perl);
}

/** The perl process runs as long as the agent: the kernel removes the redirect when its last descriptor is closed. */
async function attach(server: Server, [file = 'perl', ...args]: string[]): Promise<void> {
  const listening = descriptorOf(server);
  const child = spawn(file, [...args, '-e', REDIRECT_SCRIPT, process.arch], {
    stdio: ['pipe', 'pipe', 'inherit', listening],
  });
  child.stdin?.on('error', () => {});
  const line = await firstLine(child);
  if (line !== 'ok') throw new Error(`the redirect could not be set up: ${line}`);
}

/** Node has no public API for it. */
function descriptorOf(server: Server): number {
  const handle = (server as Server & { _handle?: { fd?: number } })._handle;
  if (handle?.fd === undefined || handle.fd < 0) throw new Error('the listening socket has no descriptor');
  return handle.fd;
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(`perl exited with ${code}`));
    if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
  });
}
