/** Writes to sockets with backpressure, and ends them cleanly. */
import type { Socket } from 'node:net';

/** Resolves when the socket accepts more, or is closed. */
export async function writeAll(socket: Socket, parts: Buffer[]): Promise<void> {
  if (socket.destroyed) return;
  let takesMore = true;
  socket.cork();
  for (const part of parts) takesMore = socket.write(part);
  socket.uncork();
  if (takesMore) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

const LINGER_MS = 5_000;

/** Sends `bytes`, then ends the socket; discards what still arrives, for a while. */
export function endWith(socket: Socket, bytes: Buffer): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.end(bytes);
  socket.removeAllListeners('data').resume();
}
