/** The answering side of a connection: one session at a time, started by the other side's HELLO. */
import { Mux, type MuxStream, type Pipe, type StreamEvents } from './mux.ts';
import { Decoder, hello, TYPE } from './wire.ts';

export interface Session {
  /** False: the input broke the protocol and the session is over; another one may start */
  push(chunk: Buffer): boolean;
  /** Resets every stream: the other side is gone */
  end(): void;
}

export function createSession(
  pipe: Pipe,
  onOpen: (stream: MuxStream, service: string, body: unknown) => StreamEvents,
): Session {
  let decoder = new Decoder();
  let mux: Mux | undefined;
  const end = () => {
    mux?.abandon('the other side disconnected');
    mux = undefined;
  };
  return {
    push(chunk) {
      let sound = true;
      for (const frame of decoder.push(chunk)) {
        if (frame.type === TYPE.hello) {
          end();
          void pipe.write(hello(Buffer.from(frame.payload)));
          mux = new Mux(pipe, onOpen);
          sound = true;
          continue;
        }
        try {
          mux?.receive(frame);
        } catch {
          // The half frame of a dead session, completed by the padding of the next one.
          end();
          sound = false;
        }
      }
      return sound;
    },
    end() {
      end();
      decoder = new Decoder();
    },
  };
}
