/** Opens a TCP connection for the host and joins it to a stream; the ends of both directions are kept apart. */
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { ConnectRequest } from '../protocol/messages.ts';
import { CHANNEL } from '../protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../protocol/mux.ts';

/** A server on the loopback that does not accept by then is not waited for */
const ATTEMPT_MS = 10_000;

export function tcp(stream: MuxStream, { host, port }: ConnectRequest): StreamEvents {
  const socket = host === 'localhost' ? connectLoopback(port) : connect({ host, port, allowHalfOpen: true });
  socket.on('error', (error) => stream.close({ error: { code: 'guest-failed', message: reasonOf(error) } }));
  // The end is said also while the socket is paused: what was read before goes first.
  let sent = Promise.resolve();
  socket.on('data', (data) => {
    socket.pause();
    sent = stream.send(CHANNEL.stdout, data).then(() => void socket.resume());
  });
  socket.on('end', () => void sent.then(() => stream.end(CHANNEL.stdout)));
  socket.on('close', () => void sent.then(() => stream.close({})));
  return {
    ...DISCARD,
    onData: (_channel, data, taken) => void socket.write(data, () => taken()),
    onEnd: () => void socket.end(),
    onReset: () => void socket.resetAndDestroy(),
  };
}

function connectLoopback(port: number): Socket {
  const lookup: LookupFunction = (_name, _options, done) =>
    done(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ]);
  return connect({
    host: 'localhost',
    port,
    allowHalfOpen: true,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
    lookup,
  });
}

/** The error of several attempts has no message of its own. */
function reasonOf(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [error];
  return first?.message ?? 'the connection failed';
}
