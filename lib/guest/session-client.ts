/** Sessions of the sandbox's agent, from outside: they go on without this connection, unless it owns them. */
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { SbxError } from '../errors.ts';
import type { GuestConnection } from './client.ts';
import { inputOf, streamEvents } from './client-streams.ts';
import { guestError } from './guest-error.ts';
import {
  CHANNEL,
  type ExecResult,
  type SessionInfo,
  type SessionLogRequest,
  type SessionOpened,
  type SessionRequest,
  type SessionsRunning,
} from './services.ts';

export interface SessionClient {
  /** Resolves before any output is there to read */
  opened: Promise<SessionOpened>;
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** The end of the session, or `guest-protocol` when the connection ended first */
  exit: Promise<ExecResult>;
  resize(cols: number, rows: number): void;
  kill(signal: string): void;
  /** Takes part no more. An owner's session ends with it. */
  leave(): void;
}

export function openSession(guest: GuestConnection, request: SessionRequest): SessionClient {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const { events, result } = streamEvents<ExecResult>(
    (channel) => (channel === CHANNEL.stderr ? stderr : stdout),
    [stdout, stderr],
  );
  const first = firstMessage();
  const stream = guest.openRaw('session', request, {
    ...events,
    onControl: (message) => first.resolve(message as SessionOpened),
  });
  const exit = result.catch((error: unknown) => {
    throw error instanceof SbxError && error.code !== 'guest-protocol' ? guestError(error) : error;
  });
  // Whatever ends it before its first message is told by its end.
  exit.then(
    () => first.resolve({ id: 0, joined: false, replay: 0 }),
    (error: unknown) => first.reject(error),
  );
  return {
    opened: first.promise,
    stdin: inputOf(stream),
    stdout,
    stderr,
    exit,
    resize: (cols, rows) => stream.control({ resize: { cols, rows } }),
    kill: (signal) => stream.control({ signal }),
    leave: () => stream.reset('the client has gone'),
  };
}

function firstMessage() {
  let settle: { resolve: (opened: SessionOpened) => void; reject: (error: unknown) => void };
  const promise = new Promise<SessionOpened>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Its end tells the same.
  promise.catch(() => {});
  return {
    promise,
    resolve: (opened: SessionOpened) => settle.resolve(opened),
    reject: (error: unknown) => settle.reject(error),
  };
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
  const ignored = () => {};
  guest.openRaw(
    'session-watch',
    {},
    {
      onData: (_channel, _data, taken) => taken(),
      onEnd: ignored,
      onControl(message) {
        const { running, since } = (message ?? {}) as Partial<Record<keyof SessionsRunning, unknown>>;
        if (typeof running !== 'number' || !Number.isInteger(running) || running < 0) return;
        const date = typeof since === 'string' ? new Date(since) : undefined;
        const valid = date !== undefined && !Number.isNaN(date.getTime());
        onChange({ running, ...(valid ? { since: date.toISOString() } : {}) });
      },
      onClose: ignored,
      onReset: ignored,
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
