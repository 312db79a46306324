/** One client that looks at a session: it takes what the ring holds at its own speed, and misses the oldest when it is too slow. */

import { CHANNEL } from '../../protocol/messages.ts';
import type { MuxStream } from '../../protocol/mux.ts';
import type { Ring } from './ring.ts';

const CHUNK_BYTES = 31 * 1024;

export interface Viewer {
  /** There is more to see, or the end */
  wake(): void;
  stop(): void;
}

export interface ViewerOptions {
  stream: MuxStream;
  ring: Ring;
  /** The first byte it is sent */
  from: number;
  /** The session has ended and all is in the ring */
  isOver: () => boolean;
  /** All was sent after the end */
  onDone: () => void;
  /** Bytes were missed: what to say before it goes on. Undefined: nothing */
  onGap: () => string | undefined;
}

export function startViewer({ stream, ring, from, isOver, onDone, onGap }: ViewerOptions): Viewer {
  let position = from;
  let busy = false;
  let stopped = false;
  const step = async (): Promise<boolean> => {
    if (position < ring.start) {
      const said = onGap();
      position = ring.start;
      if (said !== undefined) await stream.send(CHANNEL.stdout, Buffer.from(said, 'latin1'));
      return true;
    }
    const data = ring.read(position, CHUNK_BYTES);
    position += data.length;
    if (data.length > 0) await stream.send(CHANNEL.stdout, data);
    return data.length > 0;
  };
  const pump = async (): Promise<void> => {
    if (busy || stopped) return;
    busy = true;
    while (!stopped && (await step()));
    busy = false;
    // It came while the last look was on its way.
    if (!stopped && position < ring.end) return void pump();
    if (!stopped && position >= ring.end && isOver()) {
      stopped = true;
      onDone();
    }
  };
  void pump();
  return {
    wake: () => void pump(),
    stop() {
      stopped = true;
    },
  };
}
