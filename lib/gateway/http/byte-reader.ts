/** Reads a socket at its consumer's pace, until the socket is released. */
import type { Socket } from 'node:net';

export interface ByteReader {
  /** Received and not consumed */
  readonly buffered: Buffer;
  /** No more bytes will arrive */
  readonly ended: boolean;
  /** Waits for more bytes. False: the stream ended. */
  more(): Promise<boolean>;
  consume(bytes: number): void;
  /** Consumes all buffered bytes, or waits for some. Undefined: the stream ended. */
  chunk(): Promise<Buffer | undefined>;
  /** Puts bytes of the last chunk back */
  unshift(bytes: Buffer): void;
  /** Keeps reading up to `most` bytes while the consumer is busy; calls `overrun` once if more arrive */
  readAhead(most: number, overrun: () => void): () => void;
  /** Stops reading, pauses the socket and returns the buffered bytes */
  release(): Buffer;
}

const EMPTY = Buffer.alloc(0);

export function readBytes(socket: Socket): ByteReader {
  const state = { parts: [] as Buffer[], size: 0, ended: false, ahead: 0, overrun: () => {}, wake: () => {} };
  const onData = (part: Buffer) => {
    state.parts.push(part);
    state.size += part.length;
    if (state.size > state.ahead) {
      socket.pause();
      if (state.ahead > 0) state.overrun();
    }
    state.wake();
  };
  const onEnd = () => {
    state.ended = true;
    state.wake();
  };
  socket.on('data', onData).on('end', onEnd).on('close', onEnd);
  socket.pause();
  const buffered = () => {
    if (state.parts.length > 1) state.parts = [Buffer.concat(state.parts)];
    return state.parts[0] ?? EMPTY;
  };
  const more = async () => {
    const before = state.size;
    while (state.size === before && !state.ended)
      await new Promise<void>((resolve) => {
        state.wake = resolve;
        socket.resume();
      });
    return state.size > before;
  };
  const consume = (bytes: number) => {
    const rest = buffered().subarray(bytes);
    state.parts = rest.length > 0 ? [rest] : [];
    state.size = rest.length;
  };
  return {
    get buffered() {
      return buffered();
    },
    get ended() {
      return state.ended;
    },
    more,
    consume,
    async chunk() {
      if (state.size === 0 && !(await more())) return undefined;
      const all = buffered();
      consume(all.length);
      return all;
    },
    unshift(bytes) {
      if (bytes.length === 0) return;
      state.parts.unshift(bytes);
      state.size += bytes.length;
    },
    readAhead(most, overrun) {
      Object.assign(state, { ahead: most, overrun });
      if (state.size > most) overrun();
      else socket.resume();
      return () => {
        Object.assign(state, { ahead: 0, overrun: () => {} });
        socket.pause();
      };
    },
    release() {
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
      socket.pause();
      const all = buffered();
      consume(all.length);
      return all;
    },
  };
}
