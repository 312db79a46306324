/** The answering side of a connection: one session at a time, begun by the other side's HELLO. */
import { Mux, type MuxStream, type Pipe, type StreamEvents } from './mux.ts';
import { Decoder, hello, TYPE } from './wire.ts';

export interface Session {
  /** False: what came made no sense, and the session is over; another one may begin */
  push(chunk: Buffer): boolean;
  /** The other side is gone: every stream of it ends */
  end(): void;
}

export function createSession(
  pipe: Pipe,
  onOpen: (stream: MuxStream, service: string, body: unknown) => StreamEvents,
): Session {
  let decoder = new Decoder();
  let mux: Mux | undefined;
  const end = () => {
    mux?.abandon('the other side has gone');
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
          // The half frame of a dead session, filled up by the next one's padding.
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
