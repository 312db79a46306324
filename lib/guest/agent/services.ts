/** Dispatches each stream to the service that answers it. */
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
import { DISCARD, type MuxStream, type StreamEvents } from '../protocol/mux.ts';
import { get, put } from './copy.ts';
import { GuestMailbox } from './guest-mailbox.ts';
import { listening } from './net/listening.ts';
import { exec } from './process/exec.ts';
import { Workload } from './process/workload.ts';
import { Sessions } from './sessions/sessions.ts';
import { createSyscalls } from './syscalls.ts';
import { createSystem, ENVIRONMENT, limitOpenFiles } from './system.ts';
import { tcp } from './tcp.ts';
import { usageOfGuest } from './usage.ts';

export interface Services {
  open(stream: MuxStream, service: string, body: unknown): StreamEvents;
}

interface ServicesOptions {
  /** The command of perl, which may have leading arguments; empty on a host */
  perl: string[];
  /** Folder of the sessions' records */
  records: string;
  /** Where cgroup2 is mounted; undefined on a host */
  cgroups: string | undefined;
}

export function createServices({ perl, records, cgroups }: ServicesOptions): Services {
  const workload = new Workload(cgroups);
  const sessions = new Sessions(records, workload);
  const mailbox = new GuestMailbox();
  const syscalls = createSyscalls(perl);
  const system = createSystem(syscalls);
  if (perl.length > 0) limitOpenFiles(syscalls);
  const calls: { [K in keyof Calls]: (ask: Calls[K]['ask']) => Promise<Calls[K]['answer']> } = {
    async ping() {
      const outOfMemory = workload.outOfMemory();
      return { ok: true, ...(outOfMemory === undefined ? {} : { outOfMemory }) };
    },
    usage: async () => usageOfGuest(),
    clock: system.clock,
    trusted: system.trusted,
    async 'prepare-snapshot'(ask) {
      await sessions.clear();
      workload.forget();
      return system.prepareSnapshot(ask);
    },
    listening: async () => ({ ports: await listening() }),
    shutdown: system.shutdown,
    sessions: async () => ({ sessions: sessions.list() }),
    'session-end': async ({ id }) => ({ sessions: await sessions.end(id) }),
  };
  return {
    open(stream, service, body) {
      if (service === 'exec') return exec(stream, body as ExecRequest, { workload, base: ENVIRONMENT });
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
