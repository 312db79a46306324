/** The agent's sessions of this sandbox. They outlive every client and every connection of the host, not this process. */
import { Failure, failureJson } from '../../protocol/failure.ts';
import {
  CHANNEL,
  type SessionInfo,
  type SessionLogRequest,
  type SessionOpened,
  type SessionRequest,
  type SessionsRunning,
} from '../../protocol/messages.ts';
import { DISCARD, type MuxStream, type StreamEvents } from '../../protocol/mux.ts';
import { type Command, commandOf, isRefusal } from '../process/command.ts';
import { refuse } from '../process/exec.ts';
import { readOutput, readRecords, removeRecord, SessionRecord } from './record.ts';
import { Session } from './session.ts';

/** Records of ended sessions that are kept */
const KEPT_RECORDS = 8;
const COMMAND_CHARACTERS = 200;

export interface Sessions {
  open(stream: MuxStream, request: SessionRequest, base: Record<string, string>): StreamEvents;
  log(stream: MuxStream, request: SessionLogRequest): StreamEvents;
  /** Says how many run, now and whenever it changes */
  watch(stream: MuxStream): StreamEvents;
  list(): SessionInfo[];
  end(id: number | undefined): Promise<SessionInfo[]>;
  /** Before a snapshot: nothing of them may be in it */
  clear(): Promise<void>;
}

export function createSessions(dir: string): Sessions {
  const sessions = new Map<number, Session>();
  const watchers = new Set<MuxStream>();

  const running = () => [...sessions.values()].filter(({ over }) => !over);
  const list = (): SessionInfo[] => {
    const here = [...sessions.values()].map(({ info }) => info);
    const earlier = readRecords(dir).filter(({ id }) => !sessions.has(id));
    return [...earlier.map((info) => ({ ...info, clients: 0 })), ...here].toSorted((a, b) => a.id - b.id);
  };
  const tell = (stream: MuxStream) => {
    const since = running().at(-1)?.info.startedAt;
    stream.control({ running: running().length, ...(since === undefined ? {} : { since }) } satisfies SessionsRunning);
  };
  const changed = () => {
    for (const stream of watchers) tell(stream);
  };
  const prune = () => {
    const done = list().filter(({ id }) => sessions.get(id)?.over !== false);
    for (const { id } of done.slice(0, -KEPT_RECORDS)) {
      sessions.delete(id);
      removeRecord(dir, id);
    }
  };
  const begin: Begin = (command, request, owner) => {
    const id = (list().at(-1)?.id ?? 0) + 1;
    const record = new SessionRecord(dir, {
      id,
      terminal: request.tty !== undefined,
      command: request.argv.join(' ').slice(0, COMMAND_CHARACTERS),
      startedAt: new Date().toISOString(),
    });
    const session = new Session(command, request, record, owner);
    sessions.set(id, session);
    void session.ended.then(() => {
      prune();
      changed();
    });
    changed();
    return session;
  };

  return {
    list,
    open(stream, request, base) {
      try {
        return openSession({ stream, request, base, begin, terminal: running().find(({ info }) => info.terminal) });
      } catch (error) {
        stream.close({ error: failureJson(error) });
        return DISCARD;
      }
    },
    log(stream, { id, follow }) {
      const wanted = id ?? list().at(-1)?.id;
      const session = wanted === undefined ? undefined : sessions.get(wanted);
      if (session !== undefined && follow) return session.watch(stream);
      const info = list().find((one) => one.id === wanted);
      const whole = wanted === undefined ? undefined : (session?.record.output() ?? readOutput(dir, wanted));
      if (info === undefined || whole === undefined)
        stream.close({ error: failureJson(new Failure('not-found', 'there is no such session of the agent')) });
      else {
        stream.control({ id: info.id, joined: true, replay: whole.length } satisfies SessionOpened);
        void stream.send(CHANNEL.stdout, whole).then(() => stream.close(info));
      }
      return DISCARD;
    },
    watch(stream) {
      watchers.add(stream);
      tell(stream);
      return { ...DISCARD, onReset: () => void watchers.delete(stream) };
    },
    async end(id) {
      const chosen = running().filter(({ info }) => id === undefined || info.id === id);
      for (const session of chosen) session.end();
      await Promise.all(chosen.map(({ ended }) => ended));
      return chosen.map(({ info }) => info);
    },
    async clear() {
      await this.end(undefined);
      sessions.clear();
      for (const { id } of readRecords(dir)) removeRecord(dir, id);
    },
  };
}

type Begin = (command: Command, request: SessionRequest, owner?: MuxStream) => Session;

interface Opening {
  stream: MuxStream;
  request: SessionRequest;
  base: Record<string, string>;
  /** The session that has the terminal */
  terminal: Session | undefined;
  begin: Begin;
}

function openSession({ stream, request, base, terminal, begin }: Opening): StreamEvents {
  if (request.tty !== undefined && terminal !== undefined) {
    if (!request.join) throw busy(terminal);
    if (request.client === 'viewer') return terminal.join(stream, request.tty, true);
    stream.close(terminal.info);
    return DISCARD;
  }
  const command = commandOf(request, base);
  if (isRefusal(command)) {
    if (request.client !== 'none') return refuse(stream, command);
    throw new Failure('guest-failed', command.message);
  }
  if (request.client === 'viewer') return begin(command, request).join(stream, request.tty, false);
  const session = begin(command, request, request.client === 'owner' ? stream : undefined);
  if (request.client === 'none') {
    stream.close(session.info);
    return DISCARD;
  }
  stream.control({ id: session.info.id, joined: false, replay: 0 });
  void session.ended.then((result) => stream.close(result));
  return session.serveOwner();
}

function busy(session: Session): Failure {
  return new Failure('busy', 'the agent is running already', {
    why: `its terminal is in use since ${session.info.startedAt}: ${session.info.command}`,
    hint: 'come back to it with `sbx run`, or end it with `sbx run --end`',
  });
}
