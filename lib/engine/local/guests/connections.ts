/** Holds one connection to the guest agent of each running sandbox, made on first use. */
import { SbxError } from '../../../errors.ts';
import { GuestConnection } from '../../../guest/client/connection.ts';
import { watchSessions } from '../../../guest/client/session-client.ts';
import type { GuestUsage, SessionsRunning } from '../../../guest/protocol/messages.ts';
import { within } from '../../../system/deadline.ts';
import { GuestUsages } from './guest-usage.ts';
import { Heartbeat, type HeartbeatTimes, type OutOfMemory } from './heartbeat.ts';

export interface ConnectOptions {
  /** No connection to this guest was made since its VM started */
  fresh: boolean;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export class Guests implements AsyncDisposable {
  readonly #onClosed: (id: string) => void;
  readonly #open = new Map<string, GuestConnection>();
  readonly #pending = new Map<string, Promise<GuestConnection>>();
  readonly #sessions = new WeakMap<GuestConnection, SessionsRunning>();
  readonly #watched = new WeakSet<GuestConnection>();
  readonly #heartbeat: Heartbeat;
  readonly #usages = new GuestUsages();

  /** `onClosed` is called when an open connection closes unasked: the VM died or its agent restarted. */
  constructor(onClosed: (id: string) => void, times?: HeartbeatTimes) {
    this.#onClosed = onClosed;
    this.#heartbeat = new Heartbeat(times);
  }

  /** The open connection, if there is one */
  get(id: string): GuestConnection | undefined {
    return this.#open.get(id);
  }

  /** The open connection, or a new one. @throws SbxError `guest-failed` */
  async connect(id: string, agentSocket: string, options: ConnectOptions): Promise<GuestConnection> {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const pending =
      this.#pending.get(id) ??
      dial(agentSocket, options)
        .then((guest) => this.#add(id, guest, options.fresh))
        .finally(() => this.#pending.delete(id));
    this.#pending.set(id, pending);
    return pending;
  }

  /** There is an open connection, and its guest answered the last question in time */
  answers(id: string): boolean {
    const guest = this.#open.get(id);
    return guest !== undefined && this.#heartbeat.answers(guest);
  }

  /** What the guest's kernel ended for lack of memory; undefined: nothing, as far as is known */
  outOfMemory(id: string): OutOfMemory | undefined {
    const guest = this.#open.get(id);
    return guest === undefined ? undefined : this.#heartbeat.outOfMemory(guest);
  }

  /** As the guest says; undefined: it does not */
  async usageOf(id: string): Promise<GuestUsage | undefined> {
    const guest = this.#open.get(id);
    return guest === undefined ? undefined : this.#usages.of(guest);
  }

  /** The agent's sessions, as the guest reports on each change; undefined before its first report */
  sessionsOf(id: string): SessionsRunning | undefined {
    const guest = this.#open.get(id);
    return guest === undefined ? undefined : this.#sessions.get(guest);
  }

  /** MUST be called before a session begins: a fresh guest, which has none, is not asked to report them. */
  watchSessions(id: string): void {
    const guest = this.#open.get(id);
    if (guest !== undefined) this.#watch(guest);
  }

  async drop(id: string): Promise<void> {
    const guest = this.#open.get(id);
    this.#open.delete(id);
    await guest?.[Symbol.asyncDispose]();
  }

  /** The connection, if there is one, belongs to another sandbox from now on. */
  rename(from: string, to: string): void {
    const guest = this.#open.get(from);
    if (guest === undefined) return;
    this.#open.delete(from);
    this.#open.set(to, guest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.drop(id)));
  }

  #add(id: string, guest: GuestConnection, fresh: boolean): GuestConnection {
    this.#open.set(id, guest);
    if (fresh) this.#sessions.set(guest, { running: 0 });
    else this.#watch(guest);
    this.#heartbeat.watch(guest);
    const ended = () => {
      // Its sandbox may have another id by now: a pooled clone that was claimed.
      const owner = [...this.#open].find(([, one]) => one === guest)?.[0];
      if (owner === undefined) return;
      this.#open.delete(owner);
      this.#onClosed(owner);
    };
    guest.closed.then(ended, ended);
    return guest;
  }

  #watch(guest: GuestConnection): void {
    if (this.#watched.has(guest)) return;
    this.#watched.add(guest);
    watchSessions(guest, (sessions) => void this.#sessions.set(guest, sessions));
  }
}

async function dial(socket: string, { fresh, timeoutMs, signal }: ConnectOptions): Promise<GuestConnection> {
  using limit = within(timeoutMs, signal);
  const connecting = fresh
    ? GuestConnection.connectAsking(socket, limit, rehearse)
    : GuestConnection.connect(socket, { signal: limit });
  return await connecting.catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new SbxError('guest-failed', 'the sandbox does not answer', {
      why: limit.aborted
        ? `its agent did not answer within ${timeoutMs / 1000} s`
        : `connecting to its agent failed: ${error instanceof Error ? error.message : error}`,
      hint: 'see `sbx logs --console`; `sbx restart` boots it again',
      cause: error,
    });
  });
}

/** Runs a command without effect while the identity is assigned: an emulating host translates meanwhile what the first real command needs. */
function rehearse(guest: GuestConnection): void {
  const command = guest.exec({ argv: ['/opt/sbx/bin/busybox', 'true'], cwd: '/', stdin: false });
  command.stdout.resume();
  command.stderr.resume();
  command.exit.catch(() => {});
}
