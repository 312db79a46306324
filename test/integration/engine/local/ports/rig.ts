/** The ports of one sandbox whose guest is the real agent, as a process of this host. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ports, type PortsOptions } from '../../../../../lib/engine/local/ports/ports.ts';
import { errnoOf } from '../../../../../lib/errors.ts';
import type { GuestConnection } from '../../../../../lib/guest/client/connection.ts';
import { homeOf, instancePaths } from '../../../../../lib/paths.ts';

export const ID = 'web-1';

export interface PortsRig extends Disposable {
  ports: Ports;
  /** Opens a port of the guest and returns that of the host */
  open(guest: number, options?: { address?: string }): Promise<number>;
  /** Writes the book of ports */
  damage(text: string): void;
  /** What a next daemon begins with */
  next(): Ports;
}

export function portsRig(
  guest: () => Promise<GuestConnection> | GuestConnection,
  options: Partial<PortsOptions> = {},
): PortsRig {
  const root = mkdtempSync(join(tmpdir(), 'sbx-ports-'));
  const home = homeOf({ SBX_HOME: root });
  for (const id of [ID, 'web-2']) mkdirSync(instancePaths(home, id).dir, { recursive: true });
  const make = () => new Ports({ home, connect: async () => guest(), nameOf: (id) => id, ...options });
  const all = [make()];
  const ports = all[0] as Ports;
  return {
    ports,
    async open(port, more = {}) {
      const rule = { guest: port, host: 0, ...more };
      await ports.change(ID, () => ({ spec: [], running: true }), { publish: [rule], unpublish: [] });
      return ports.stateOf(ID, []).find((one) => one.guest === port)?.host ?? 0;
    },
    damage: (text) => writeFileSync(instancePaths(home, ID).ports, text),
    next() {
      const one = make();
      all.push(one);
      return one;
    },
    [Symbol.dispose]() {
      for (const one of all) one[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export interface Service extends AsyncDisposable {
  port: number;
}

/** A server "inside": the agent runs on this host. */
export async function service(
  onConnection: (socket: Socket) => void,
  { host = '127.0.0.1', server = createServer({ allowHalfOpen: true }, onConnection) } = {} as {
    host?: string;
    server?: Server;
  },
): Promise<Service> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function dial(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/** `ECONNRESET`, `end`: how the other side ended an idle connection. */
export async function endOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    // It may have failed before this call.
    if (socket.errored) return resolve(errnoOf(socket.errored) ?? 'error');
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.once('end', () => resolve('end'));
    socket.resume();
  });
}

export function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Looks again until it holds; the test's own time limit ends the waiting. */
export async function until(look: () => boolean): Promise<void> {
  while (!look()) await sleep(10);
}
