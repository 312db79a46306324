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

/**
 * Sends `bytes` behind what is queued, then ends the socket; what still arrives is discarded. It is destroyed
 * `lingerMs` after all was sent, or when nothing moves for `lingerMs`: a slow reader gets all of it.
 */
export function endWith(socket: Socket, bytes: Buffer, lingerMs = LINGER_MS): void {
  const destroy = () => void socket.destroy();
  let timer: NodeJS.Timeout | undefined;
  const linger = () => {
    timer = setTimeout(destroy, lingerMs);
  };
  socket.setTimeout(lingerMs, destroy).once('close', () => clearTimeout(timer));
  if (socket.writableFinished) linger();
  else socket.once('finish', linger);
  // A second end() with bytes, even none, is an error, for which the socket would drop its queue.
  if (!socket.writableEnded) socket.end(bytes);
  socket.removeAllListeners('data').resume();
}
