/** A socket as the way out of a mux: it is waited for while it takes no more. */
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
