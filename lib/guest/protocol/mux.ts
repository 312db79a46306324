/** Multiplexes streams over one pipe, the same on both sides: credit, order, ends. The content of a stream is opaque here. */
import { encode, encodeData, encodeJson, encodeWindow, type Frame, json, MAX_PAYLOAD, TYPE, WINDOW } from './wire.ts';

/** Highest number of a channel */
const LAST_CHANNEL = 2;
/** Consumed bytes are granted again in units of this size: a frame for each piece that was read costs more than it gains */
const GRANT_BYTES = WINDOW / 8;
/** Longest JSON, in frames: 4 MiB */
const MAX_PARTS = 128;

/** The outgoing side of a connection. `write` resolves when the pipe accepts more. */
export interface Pipe {
  write(frame: Buffer): Promise<void>;
}

/** Events of a stream on one side. */
export interface StreamEvents {
  /** MUST call `taken` once when the data was passed on: the sender may then send as much again */
  onData(channel: number, data: Buffer, taken: () => void): void;
  onEnd(channel: number): void;
  onControl(message: unknown): void;
  onClose(result: unknown): void;
  onReset(reason: string): void;
}

/** Discards all events and grants credit at once. */
export const DISCARD: StreamEvents = {
  onData: (_channel, _data, taken) => taken(),
  onEnd: () => {},
  onControl: () => {},
  onClose: () => {},
  onReset: () => {},
};

/** One side's end of a stream. */
export interface MuxStream {
  readonly id: number;
  /** Resolves when all of it was written within the receiver's credit */
  send(channel: number, data: Buffer): Promise<void>;
  end(channel: number): void;
  control(message: unknown): void;
  close(result: unknown): void;
  reset(reason: string): void;
}

interface State {
  events: StreamEvents;
  credit: Map<number, { bytes: number; wake: (() => void)[] }>;
  /** Bytes received on each channel that are not yet consumed */
  unacked: Map<number, number>;
  /** Bytes consumed on each channel that are not yet granted again */
  pendingCredit: Map<number, number>;
  gone: boolean;
}

export class Mux {
  readonly #pipe: Pipe;
  readonly #streams = new Map<number, State>();
  readonly #onOpen: (stream: MuxStream, service: string, body: unknown) => StreamEvents;
  #parts: Buffer[] = [];
  #next = 1;

  /** `onOpen`: called when the other side opens a stream. */
  constructor(pipe: Pipe, onOpen: (stream: MuxStream, service: string, body: unknown) => StreamEvents) {
    this.#pipe = pipe;
    this.#onOpen = onOpen;
  }

  get size(): number {
    return this.#streams.size;
  }

  open(service: string, body: unknown, events: StreamEvents): MuxStream {
    const id = this.#next;
    this.#next += 1;
    this.#streams.set(id, newState(events));
    void this.#pipe.write(encodeJson(TYPE.open, id, { service, body }));
    return this.#end(id);
  }

  /** @throws Error when the other side breaks the protocol: the connection MUST then be closed. */
  receive(received: Frame): void {
    if (received.type === TYPE.part) {
      if (this.#parts.push(Buffer.from(received.payload)) > MAX_PARTS) throw new Error('message too long');
      return;
    }
    const frame =
      this.#parts.length === 0
        ? received
        : { ...received, payload: Buffer.concat([...this.#parts.splice(0), received.payload]) };
    if (frame.type === TYPE.open) {
      if (this.#streams.has(frame.stream)) throw new Error('a stream was opened twice');
      const { service, body } = json<{ service: string; body: unknown }>(frame.payload);
      const state = newState(undefined as never);
      this.#streams.set(frame.stream, state);
      state.events = this.#onOpen(this.#end(frame.stream), service, body);
      return;
    }
    const state = this.#streams.get(frame.stream);
    if (state === undefined) return;
    this.#dispatch(frame, state);
  }

  /** Resets every stream when the pipe is gone. */
  abandon(reason: string): void {
    for (const id of [...this.#streams.keys()]) this.#drop(id)?.events.onReset(reason);
  }

  #dispatch(frame: Frame, state: State): void {
    const channel = frame.payload[0] ?? 0;
    if (frame.type === TYPE.data) {
      const bytes = frame.payload.length - 1;
      const unacked = (state.unacked.get(channel) ?? 0) + bytes;
      if (bytes < 1 || channel > LAST_CHANNEL || unacked + (state.pendingCredit.get(channel) ?? 0) > WINDOW)
        throw new Error('data without credit');
      state.unacked.set(channel, unacked);
      state.events.onData(channel, frame.payload.subarray(1), () => {
        state.unacked.set(channel, (state.unacked.get(channel) ?? 0) - bytes);
        const pendingCredit = (state.pendingCredit.get(channel) ?? 0) + bytes;
        const granted = pendingCredit >= GRANT_BYTES && !state.gone ? pendingCredit : 0;
        state.pendingCredit.set(channel, pendingCredit - granted);
        if (granted > 0) void this.#pipe.write(encodeWindow(frame.stream, channel, granted));
      });
    } else if (frame.type === TYPE.end) state.events.onEnd(channel);
    else if (frame.type === TYPE.window) grant(state, channel, frame.payload.readUInt32BE(1));
    else if (frame.type === TYPE.control) state.events.onControl(json(frame.payload));
    else if (frame.type === TYPE.close) {
      // Dropped last: an invalid result throws, and the stream is then reset by abandon().
      state.events.onClose(json(frame.payload));
      this.#drop(frame.stream);
    } else if (frame.type === TYPE.reset) {
      const { message } = json<{ message: string }>(frame.payload);
      this.#drop(frame.stream)?.events.onReset(String(message));
    }
  }

  #end(id: number): MuxStream {
    const alive = () => this.#streams.get(id)?.gone === false;
    const write = (frame: Buffer) => void (alive() && this.#pipe.write(frame));
    return {
      id,
      send: (channel, data) => this.#send(id, channel, data),
      end: (channel) => write(encode(TYPE.end, id, Buffer.from([channel]))),
      control: (message) => write(encodeJson(TYPE.control, id, message)),
      close: (result) => {
        write(encodeJson(TYPE.close, id, result));
        this.#drop(id);
      },
      reset: (message) => {
        write(encodeJson(TYPE.reset, id, { message }));
        this.#drop(id);
      },
    };
  }

  async #send(id: number, channel: number, data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const state = this.#streams.get(id);
      if (state === undefined) return;
      const credit = creditOf(state, channel);
      if (credit.bytes === 0) {
        await new Promise<void>((resolve) => credit.wake.push(resolve));
        continue;
      }
      const size = Math.min(credit.bytes, MAX_PAYLOAD - 1, data.length - at);
      credit.bytes -= size;
      await this.#pipe.write(encodeData(id, channel, data.subarray(at, at + size)));
      at += size;
    }
  }

  #drop(id: number): State | undefined {
    const state = this.#streams.get(id);
    if (state === undefined) return undefined;
    this.#streams.delete(id);
    state.gone = true;
    for (const credit of state.credit.values()) for (const wake of credit.wake.splice(0)) wake();
    return state;
  }
}

function newState(events: StreamEvents): State {
  return { events, credit: new Map(), unacked: new Map(), pendingCredit: new Map(), gone: false };
}

function creditOf(state: State, channel: number): { bytes: number; wake: (() => void)[] } {
  const known = state.credit.get(channel);
  if (known !== undefined) return known;
  const fresh = { bytes: WINDOW, wake: [] };
  state.credit.set(channel, fresh);
  return fresh;
}

function grant(state: State, channel: number, bytes: number): void {
  const credit = creditOf(state, channel);
  credit.bytes += bytes;
  for (const wake of credit.wake.splice(0)) wake();
}
