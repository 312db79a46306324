/** Connects to the relay in a guest, through the socket that QEMU serves for its virtio port. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GREETING } from '../../guest/workspace/relay.ts';
import { connectTo } from '../../system/unix-socket.ts';

const GREETING_BYTES = Buffer.from(GREETING);
/** Most bytes of an earlier connection: those that the port and the socket hold */
const STALE_MAX = 4 << 20;
const RETRY_MS = 50;

export interface LinkOptions {
  signal: AbortSignal;
  /** How long a connection waits for the greeting. A relay that has not noticed the end of the connection before sees it in the gap between two */
  greetingMs?: number;
}

/**
 * Retries until a relay answers: the VM may not run yet, or its file system is not mounted yet.
 * @returns a paused socket whose next bytes are the relay's first message; @throws AbortError
 */
export async function connectRelay(path: string, { signal, greetingMs = 2_000 }: LinkOptions): Promise<Socket> {
  for (;;) {
    signal.throwIfAborted();
    const socket = await tryConnect(path);
    if (socket !== undefined && (await hasGreeting(socket, { signal, greetingMs }))) return socket;
    socket?.destroy();
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** Undefined when nothing listens there, or what is there is no socket: QEMU, which may write in that folder, could put a link in its place. */
function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    try {
      const socket = connectTo(path);
      socket.once('error', () => resolve(undefined));
      socket.once('connect', () => {
        socket.removeAllListeners('error').on('error', () => socket.destroy());
        resolve(socket);
      });
    } catch {
      resolve(undefined);
    }
  });
}

/** Leaves what follows the greeting in the socket. False: it did not come. */
function hasGreeting(socket: Socket, { signal, greetingMs }: Required<LinkOptions>): Promise<boolean> {
  return new Promise((resolve) => {
    let tail: Buffer = Buffer.alloc(0);
    let bytes = 0;
    const end = (found: boolean) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onFailure).pause();
      signal.removeEventListener('abort', onFailure);
      resolve(found);
    };
    const onFailure = () => end(false);
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      tail = Buffer.concat([tail, chunk]);
      const at = tail.indexOf(GREETING_BYTES);
      if (at >= 0) {
        end(true);
        const rest = tail.subarray(at + GREETING_BYTES.length);
        if (rest.length > 0) socket.unshift(rest);
      } else if (bytes > STALE_MAX) end(false);
      else tail = tail.subarray(Math.max(0, tail.length - GREETING_BYTES.length + 1));
    };
    const timer = setTimeout(onFailure, greetingMs);
    socket.on('data', onData).once('close', onFailure);
    signal.addEventListener('abort', onFailure, { once: true });
  });
}
