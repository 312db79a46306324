/** The answering side of a connection: one session at a time, begun by the other side's HELLO. */
import { Mux, type MuxStream, type Pipe, type StreamEvents } from './mux.ts';
import { Decoder, hello, TYPE } from './wire.ts';

export interface Session {
  push(chunk: Buffer): void;
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
      for (const frame of decoder.push(chunk)) {
        if (frame.type === TYPE.hello) {
          end();
          void pipe.write(hello(Buffer.from(frame.payload)));
          mux = new Mux(pipe, onOpen);
        } else mux?.take(frame);
      }
    },
    end() {
      end();
      decoder = new Decoder();
    },
  };
}
