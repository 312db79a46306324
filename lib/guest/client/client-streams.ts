/** Adapts a stream to Node's on the client's side: output as readables and one result, input as a writable. */
import { type PassThrough, Writable } from 'node:stream';
import { type ErrorJson, fromErrorJson, SbxError } from '../../errors.ts';
import { deferred } from '../protocol/deferred.ts';
import { CHANNEL } from '../protocol/messages.ts';
import type { MuxStream, StreamEvents } from '../protocol/mux.ts';

export function streamEvents<T>(
  outputOf: (channel: number) => PassThrough,
  outputs: PassThrough[],
): { events: StreamEvents; result: Promise<T> } {
  const { promise: result, resolve, reject } = deferred<T>();
  const endAll = () => {
    for (const output of outputs) if (!output.writableEnded) output.end();
  };
  const events: StreamEvents = {
    onData(channel, data, taken) {
      const output = outputOf(channel);
      if (output.destroyed || output.writableEnded) return taken();
      output.write(data, () => taken());
    },
    onEnd: (channel) => void outputOf(channel).end(),
    onControl: () => {},
    onClose(value) {
      endAll();
      const failed = (value as { error?: ErrorJson }).error;
      if (failed === undefined) resolve(value as T);
      else reject(fromErrorJson(failed));
    },
    onReset(reason) {
      endAll();
      reject(lost(reason));
    },
  };
  return { events, result };
}

export function inputOf(stream: MuxStream): Writable {
  return new Writable({
    write(chunk: Buffer | string, _encoding, done) {
      stream.send(CHANNEL.stdin, Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)).then(() => done(), done);
    },
    final(done) {
      stream.end(CHANNEL.stdin);
      done();
    },
  });
}

export function lost(why: string): SbxError {
  return new SbxError('guest-protocol', 'the connection to the sandbox ended', {
    why,
    hint: 'see `sbx ls` and `sbx logs --console`',
  });
}
