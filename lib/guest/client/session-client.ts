/** The client of the sandbox's agent sessions, which outlive this connection unless it owns them. */
import { PassThrough, type Readable } from 'node:stream';
import { SbxError } from '../../errors.ts';
import { type Deferred, deferred } from '../protocol/deferred.ts';
import type {
  SessionInfo,
  SessionLogRequest,
  SessionOpened,
  SessionRequest,
  SessionsRunning,
} from '../protocol/messages.ts';
import { DISCARD } from '../protocol/mux.ts';
import { streamEvents } from './client-streams.ts';
import type { GuestConnection } from './connection.ts';
import { guestError } from './guest-error.ts';
import { openProcess, type ProcessClient } from './process-client.ts';

export interface SessionClient extends ProcessClient {
  /** Resolves before any output can be read */
  opened: Promise<SessionOpened>;
  /** Detaches from the session. An owner's session ends. */
  leave(): void;
}

export function openSession(guest: GuestConnection, request: SessionRequest): SessionClient {
  const first = firstMessage();
  const { stream, client } = openProcess((events) =>
    guest.openRaw('session', request, {
      ...events,
      onControl: (message) => first.resolve(message as SessionOpened),
    }),
  );
  const exit = client.exit.catch((error: unknown) => {
    throw error instanceof SbxError && error.code !== 'guest-protocol' ? guestError(error) : error;
  });
  // A session that ends before its first message settles `opened` with its result.
  exit.then(
    () => first.resolve({ id: 0, joined: false, replay: 0 }),
    (error: unknown) => first.reject(error),
  );
  return { ...client, opened: first.promise, exit, leave: () => stream.reset('the client disconnected') };
}

function firstMessage(): Deferred<SessionOpened> {
  const first = deferred<SessionOpened>();
  // The result of the session reports the same error.
  first.promise.catch(() => {});
  return first;
}

/** Starts a detached session, or returns the one that has the terminal already. */
export async function startDetached(
  guest: GuestConnection,
  request: Omit<SessionRequest, 'client'>,
): Promise<SessionInfo> {
  const session = openSession(guest, { ...request, client: 'none' });
  return (await session.exit) as unknown as SessionInfo;
}

/** Calls `onChange` at first and after each change until the connection ends. Invalid messages of a guest are ignored. */
export function watchSessions(guest: GuestConnection, onChange: (sessions: SessionsRunning) => void): void {
  guest.openRaw(
    'session-watch',
    {},
    {
      ...DISCARD,
      onControl(message) {
        const { running, since } = (message ?? {}) as Partial<Record<keyof SessionsRunning, unknown>>;
        if (typeof running !== 'number' || !Number.isInteger(running) || running < 0) return;
        const date = typeof since === 'string' ? new Date(since) : undefined;
        const valid = date !== undefined && !Number.isNaN(date.getTime());
        onChange({ running, ...(valid ? { since: date.toISOString() } : {}) });
      },
    },
  );
}

export interface SessionReader {
  output: Readable;
  /** Bytes of output from before this reader was opened */
  earlier: Promise<number>;
  ended: Promise<SessionInfo>;
}

export function readSession(guest: GuestConnection, request: SessionLogRequest): SessionReader {
  const output = new PassThrough();
  const { events, result } = streamEvents<SessionInfo>(() => output, [output]);
  const first = firstMessage();
  guest.openRaw('session-log', request, {
    ...events,
    onControl: (message) => first.resolve(message as SessionOpened),
  });
  const over = () => first.resolve({ id: 0, joined: false, replay: 0 });
  result.then(over, over);
  return { output, ended: result, earlier: first.promise.then(({ replay }) => replay) };
}
