/** One connection to the agent of each running sandbox, made when it is first needed and kept. */

import { SbxError } from '../../../errors.ts';
import { GuestConnection } from '../../../guest/client/connection.ts';
import { watchSessions } from '../../../guest/client/session-client.ts';
import type { SessionsRunning } from '../../../guest/protocol/messages.ts';
import { within } from '../../../system/deadline.ts';

export interface Guests extends AsyncDisposable {
  /** The open connection, or a new one. `fresh`: nobody has spoken to this guest since its VM started. */
  connect(
    id: string,
    agentSocket: string,
    options: { fresh: boolean; timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<GuestConnection>;
  /** The open connection, if there is one */
  get(id: string): GuestConnection | undefined;
  /** The agent's sessions, as the guest tells whenever they change; undefined where it has not told yet */
  sessionsOf(id: string): SessionsRunning | undefined;
  /** MUST be called before a session is begun: a fresh guest, which has none, is not asked to tell of them */
  watchSessions(id: string): void;
  drop(id: string): Promise<void>;
  /** The connection, if there is one, is another sandbox's from now on */
  rename(from: string, to: string): void;
}

/** `onClosed` is called when an open connection ends by itself: the VM died or its agent restarted. */
export function createGuests(onClosed: (id: string) => void): Guests {
  const open = new Map<string, GuestConnection>();
  const sessions = new WeakMap<GuestConnection, SessionsRunning>();
  const watched = new WeakSet<GuestConnection>();
  const pending = new Map<string, Promise<GuestConnection>>();

  const watch = (guest: GuestConnection) => {
    if (watched.has(guest)) return;
    watched.add(guest);
    watchSessions(guest, (told) => void sessions.set(guest, told));
  };

  const dial = async (
    id: string,
    socket: string,
    options: { fresh: boolean; timeoutMs: number; signal?: AbortSignal | undefined },
  ) => {
    using signal = within(options.timeoutMs, options.signal);
    const connecting = options.fresh
      ? GuestConnection.connectAsking(socket, signal, rehearse)
      : GuestConnection.connect(socket, { signal });
    const guest = await connecting.catch((error: unknown) => {
      options.signal?.throwIfAborted();
      throw new SbxError('guest-failed', 'the sandbox does not answer', {
        why: signal.aborted
          ? `its agent gave no answer within ${options.timeoutMs / 1000} s`
          : `its agent was not reached: ${error instanceof Error ? error.message : error}`,
        hint: 'see `sbx logs --console`; `sbx stop` and `sbx start` restart it',
        cause: error,
      });
    });
    open.set(id, guest);
    if (options.fresh) sessions.set(guest, { running: 0 });
    else watch(guest);
    const ended = () => {
      const whose = [...open].find(([, one]) => one === guest)?.[0];
      if (whose === undefined) return;
      open.delete(whose);
      onClosed(whose);
    };
    guest.closed.then(ended, ended);
    return guest;
  };

  return {
    get: (id) => open.get(id),
    sessionsOf(id) {
      const guest = open.get(id);
      return guest === undefined ? undefined : sessions.get(guest);
    },
    watchSessions(id) {
      const guest = open.get(id);
      if (guest !== undefined) watch(guest);
    },
    async connect(id, socket, options) {
      const known = open.get(id);
      if (known !== undefined) return known;
      const waiting = pending.get(id) ?? dial(id, socket, options).finally(() => pending.delete(id));
      pending.set(id, waiting);
      return waiting;
    },
    async drop(id) {
      const guest = open.get(id);
      open.delete(id);
      await guest?.[Symbol.asyncDispose]();
    },
    rename(from, to) {
      const guest = open.get(from);
      if (guest === undefined) return;
      open.delete(from);
      open.set(to, guest);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open.keys()].map((id) => this.drop(id)));
    },
  };
}

/**
 * A command of ours that does nothing, while the guest becomes a sandbox: an emulating host translates then, beside it, what the first
 * real command needs.
 */
function rehearse(guest: GuestConnection): void {
  const command = guest.exec({ argv: ['/opt/sbx/bin/busybox', 'true'], cwd: '/', stdin: false });
  command.stdout.resume();
  command.stderr.resume();
  command.exit.catch(() => {});
}
