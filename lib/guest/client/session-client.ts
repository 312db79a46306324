/** Sessions of the sandbox's agent, from outside: they go on without this connection, unless it owns them. */
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
  /** Resolves before any output is there to read */
  opened: Promise<SessionOpened>;
  /** Takes part no more. An owner's session ends with it. */
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
  // Whatever ends it before its first message is told by its end.
  exit.then(
    () => first.resolve({ id: 0, joined: false, replay: 0 }),
    (error: unknown) => first.reject(error),
  );
  return { ...client, opened: first.promise, exit, leave: () => stream.reset('the client has gone') };
}

function firstMessage(): Deferred<SessionOpened> {
  const first = deferred<SessionOpened>();
  // Its end tells the same.
  first.promise.catch(() => {});
  return first;
}

/** Begins one that runs by itself, or gives the one that has the terminal already. */
export async function startDetached(
  guest: GuestConnection,
  request: Omit<SessionRequest, 'client'>,
): Promise<SessionInfo> {
  const session = openSession(guest, { ...request, client: 'none' });
  return (await session.exit) as unknown as SessionInfo;
}

/** Tells at first and after each change, as long as the connection lasts. What a guest says that makes no sense is not told. */
export function watchSessions(guest: GuestConnection, onChange: (told: SessionsRunning) => void): void {
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
  /** Bytes of output that were said before */
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
