/** Sends a session's output to one client at the client's speed; a client that is too slow misses the oldest output. */
import { CHANNEL } from '../../protocol/messages.ts';
import type { MuxStream } from '../../protocol/mux.ts';
import type { Ring } from './ring.ts';

const CHUNK_BYTES = 31 * 1024;

export interface Viewer {
  /** Call when there is more output, or the session has ended */
  wake(): void;
  stop(): void;
}

export interface ViewerOptions {
  stream: MuxStream;
  ring: Ring;
  /** Position of the first byte to send */
  from: number;
  /** The session has ended and all output is in the ring */
  isOver: () => boolean;
  /** Called when all was sent after the end */
  onDone: () => void;
  /** Called when bytes were missed. Returns text to send before the output continues */
  onGap: () => string | undefined;
}

export function startViewer({ stream, ring, from, isOver, onDone, onGap }: ViewerOptions): Viewer {
  let position = from;
  let busy = false;
  let stopped = false;
  const step = async (): Promise<boolean> => {
    if (position < ring.start) {
      const notice = onGap();
      position = ring.start;
      if (notice !== undefined) await stream.send(CHANNEL.stdout, Buffer.from(notice, 'latin1'));
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
    // Output may have arrived during the last step.
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
