/** Adapts a socket to `Pipe`: a write waits for `drain` while the socket's buffer is full. */
import type { Duplex } from 'node:stream';
import type { Pipe } from './mux.ts';

export function pipeOf(duplex: Duplex): Pipe {
  let draining: Promise<void> | undefined;
  return {
    async write(frame) {
      if (duplex.destroyed) return;
      if (duplex.write(frame)) return;
      draining ??= new Promise<void>((resolve) => {
        const done = () => {
          duplex.off('drain', done);
          duplex.off('close', done);
          draining = undefined;
          resolve();
        };
        duplex.on('drain', done);
        duplex.on('close', done);
      });
      await draining;
    },
  };
}
