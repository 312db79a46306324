/** Dispatches each stream to the service that answers it. */
import { connect } from 'node:net';
import { failureJson } from '../protocol/failure.ts';
import type {
  Calls,
  ConnectRequest,
  ExecRequest,
  GetRequest,
  PutRequest,
  SessionLogRequest,
  SessionRequest,
} from '../protocol/messages.ts';
import { CHANNEL } from '../protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../protocol/mux.ts';
import { get, put } from './copy.ts';
import { GuestMailbox } from './guest-mailbox.ts';
import { exec } from './process/exec.ts';
import { Sessions } from './sessions/sessions.ts';
import { createSyscalls } from './syscalls.ts';
import { createSystem, ENVIRONMENT } from './system.ts';

export interface Services {
  open(stream: MuxStream, service: string, body: unknown): StreamEvents;
}

/** `perl`: the command of perl, which may have leading arguments; empty on a host. `records`: folder of the sessions' records. */
export function createServices(perl: string[], records: string): Services {
  const sessions = new Sessions(records);
  const mailbox = new GuestMailbox();
  const system = createSystem(createSyscalls(perl));
  const calls: { [K in keyof Calls]: (ask: Calls[K]['ask']) => Promise<Calls[K]['answer']> } = {
    ping: async () => ({ ok: true }),
    clock: system.clock,
    trusted: system.trusted,
    async 'prepare-snapshot'(ask) {
      await sessions.clear();
      return system.prepareSnapshot(ask);
    },
    shutdown: system.shutdown,
    sessions: async () => ({ sessions: sessions.list() }),
    'session-end': async ({ id }) => ({ sessions: await sessions.end(id) }),
  };
  return {
    open(stream, service, body) {
      if (service === 'exec') return exec(stream, body as ExecRequest, ENVIRONMENT);
      if (service === 'session') return sessions.open(stream, body as SessionRequest, ENVIRONMENT);
      if (service === 'session-log') return sessions.log(stream, body as SessionLogRequest);
      if (service === 'session-watch') return sessions.watch(stream);
      if (service === 'put') return put(stream, body as PutRequest, mailbox);
      if (service === 'get') return get(stream, body as GetRequest, { mailbox, perl });
      if (service === 'connect') return tcp(stream, body as ConnectRequest);
      const call = calls[service as keyof Calls] as ((ask: unknown) => Promise<unknown>) | undefined;
      if (call === undefined) stream.reset(`no such service: ${service}`);
      else
        call(body).then(
          (answer) => stream.close(answer),
          (error: unknown) => stream.close({ error: failureJson(error) }),
        );
      return DISCARD;
    },
  };
}

function tcp(stream: MuxStream, request: ConnectRequest): StreamEvents {
  const socket = connect({ host: request.host, port: request.port, allowHalfOpen: true });
  socket.on('error', (error) => stream.close({ error: { code: 'guest-failed', message: error.message } }));
  socket.on('data', (data) => {
    socket.pause();
    void stream.send(CHANNEL.stdout, data).then(() => socket.resume());
  });
  socket.on('end', () => stream.end(CHANNEL.stdout));
  socket.on('close', () => stream.close({}));
  return {
    ...DISCARD,
    onData: (_channel, data, taken) => void socket.write(data, taken as () => void),
    onEnd: () => void socket.end(),
    onReset: () => void socket.destroy(),
  };
}
