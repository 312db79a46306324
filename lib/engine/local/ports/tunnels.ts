/** The open connections of one listened port, within the bound of its sandbox. */
import type { Socket } from 'node:net';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { tunnel } from './tunnel.ts';

/** Shared by the ports of one sandbox. */
export interface Usage {
  open: number;
  /** When the last connection began or ended, in ms since 1970; undefined: never */
  usedAt: number | undefined;
}

interface TunnelsOptions {
  /** Port of the guest */
  port: number;
  usage: Usage;
  connect: () => Promise<GuestConnection>;
  /** Most connections of the sandbox at a time; more are reset at once */
  most: number;
}

export class Tunnels {
  readonly #options: TunnelsOptions;
  readonly #sockets = new Set<Socket>();

  constructor(options: TunnelsOptions) {
    this.#options = options;
  }

  /** Takes a new connection over. */
  accept(socket: Socket): void {
    const { usage, most } = this.#options;
    socket.on('error', () => {});
    if (usage.open >= most) {
      socket.resetAndDestroy();
      return;
    }
    usage.open += 1;
    usage.usedAt = Date.now();
    this.#sockets.add(socket.setNoDelay(true));
    void this.#serve(socket).finally(() => {
      usage.open -= 1;
      usage.usedAt = Date.now();
      this.#sockets.delete(socket);
    });
  }

  /** Ends all connections. */
  close(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** A sandbox that does not answer resets the client, as a service that is not there does. */
  async #serve(socket: Socket): Promise<void> {
    try {
      await tunnel(socket, await this.#options.connect(), { port: this.#options.port });
    } catch {
      socket.resetAndDestroy();
    }
  }
}
