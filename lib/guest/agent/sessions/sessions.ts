/** The agent sessions of this sandbox, which outlive every client and every connection of the host, but not this process. */
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
import type { Workload } from '../process/workload.ts';
import { readOutput, readRecords, removeRecord, SessionRecord } from './record.ts';
import { Session } from './session.ts';

/** Most records of ended sessions kept */
const KEPT_RECORDS = 8;
const COMMAND_CHARACTERS = 200;

export class Sessions {
  readonly #dir: string;
  readonly #workload: Workload;
  readonly #sessions = new Map<number, Session>();
  readonly #watchers = new Set<MuxStream>();

  /** `dir`: of the records */
  constructor(dir: string, workload: Workload) {
    this.#dir = dir;
    this.#workload = workload;
  }

  /** The oldest first, with those of earlier agents. */
  list(): SessionInfo[] {
    const current = [...this.#sessions.values()].map(({ info }) => info);
    const earlier = readRecords(this.#dir).filter(({ id }) => !this.#sessions.has(id));
    return [...earlier.map((info) => ({ ...info, clients: 0 })), ...current].toSorted((a, b) => a.id - b.id);
  }

  open(stream: MuxStream, request: SessionRequest, base: Record<string, string>): StreamEvents {
    try {
      return this.#open(stream, request, base);
    } catch (error) {
      stream.close({ error: failureJson(error) });
      return DISCARD;
    }
  }

  log(stream: MuxStream, { id, follow }: SessionLogRequest): StreamEvents {
    const wanted = id ?? this.list().at(-1)?.id;
    const session = wanted === undefined ? undefined : this.#sessions.get(wanted);
    if (session !== undefined && follow) return session.watch(stream);
    const info = this.list().find((one) => one.id === wanted);
    const whole = wanted === undefined ? undefined : (session?.record.output() ?? readOutput(this.#dir, wanted));
    if (info === undefined || whole === undefined)
      stream.close({ error: failureJson(new Failure('not-found', 'there is no such session of the agent')) });
    else {
      stream.control({ id: info.id, joined: true, replay: whole.length } satisfies SessionOpened);
      void stream.send(CHANNEL.stdout, whole).then(() => stream.close(info));
    }
    return DISCARD;
  }

  /** Sends the number of running sessions, at first and after each change. */
  watch(stream: MuxStream): StreamEvents {
    this.#watchers.add(stream);
    this.#notify(stream);
    return { ...DISCARD, onReset: () => void this.#watchers.delete(stream) };
  }

  async end(id: number | undefined): Promise<SessionInfo[]> {
    const chosen = this.#running().filter(({ info }) => id === undefined || info.id === id);
    for (const session of chosen) session.end();
    await Promise.all(chosen.map(({ ended }) => ended));
    return chosen.map(({ info }) => info);
  }

  /** Ends and removes all sessions: a snapshot must not contain any. */
  async clear(): Promise<void> {
    await this.end(undefined);
    this.#sessions.clear();
    for (const { id } of readRecords(this.#dir)) removeRecord(this.#dir, id);
  }

  #open(stream: MuxStream, request: SessionRequest, base: Record<string, string>): StreamEvents {
    const terminal = this.#running().find(({ info }) => info.terminal);
    if (request.tty !== undefined && terminal !== undefined) return joinTerminal(stream, request, terminal);
    const command = commandOf(request, base);
    if (isRefusal(command)) {
      if (request.client !== 'none') return refuse(stream, command);
      throw new Failure('guest-failed', command.message);
    }
    const session = this.#start(command, request, request.client === 'owner' ? stream : undefined);
    if (request.client === 'viewer') return session.join(stream, request.tty, false);
    if (request.client === 'none') {
      stream.close(session.info);
      return DISCARD;
    }
    stream.control({ id: session.info.id, joined: false, replay: 0 });
    void session.ended.then((result) => stream.close(result));
    return session.serveOwner();
  }

  #start(command: Command, request: SessionRequest, owner: MuxStream | undefined): Session {
    const id = (this.list().at(-1)?.id ?? 0) + 1;
    const record = new SessionRecord(this.#dir, {
      id,
      terminal: request.tty !== undefined,
      command: request.argv.join(' ').slice(0, COMMAND_CHARACTERS),
      startedAt: new Date().toISOString(),
    });
    const session = new Session({ command, request, record, owner, workload: this.#workload });
    this.#sessions.set(id, session);
    void session.ended.then(() => {
      this.#prune();
      this.#notifyAll();
    });
    this.#notifyAll();
    return session;
  }

  #running(): Session[] {
    return [...this.#sessions.values()].filter(({ over }) => !over);
  }

  #prune(): void {
    const done = this.list().filter(({ id }) => this.#sessions.get(id)?.over !== false);
    for (const { id } of done.slice(0, -KEPT_RECORDS)) {
      this.#sessions.delete(id);
      removeRecord(this.#dir, id);
    }
  }

  #notifyAll(): void {
    for (const stream of this.#watchers) this.#notify(stream);
  }

  #notify(stream: MuxStream): void {
    const running = this.#running();
    const since = running.at(-1)?.info.startedAt;
    stream.control({ running: running.length, ...(since === undefined ? {} : { since }) } satisfies SessionsRunning);
  }
}

function joinTerminal(stream: MuxStream, request: SessionRequest, terminal: Session): StreamEvents {
  if (!request.join) throw busy(terminal);
  if (request.client === 'viewer') return terminal.join(stream, request.tty, true);
  stream.close(terminal.info);
  return DISCARD;
}

function busy(session: Session): Failure {
  return new Failure('busy', 'the agent is running already', {
    why: `its terminal is in use since ${session.info.startedAt}: ${session.info.command}`,
    hint: 'join it with `sbx run`, or end it with `sbx run --end`',
  });
}
