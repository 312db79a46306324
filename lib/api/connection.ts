/** Where the user's daemon listens, and what its requests and answers have in common. */
import type { IncomingMessage } from 'node:http';
import { type ErrorJson, errnoOf, fromErrorJson, SbxError } from '../errors.ts';
import { type Home, socketPath } from '../paths.ts';

export interface Connection {
  socketPath: string;
  revival?: Revival;
}

interface Revival {
  /** Hash and folder of the bundle of the wanted daemon: at first the client's own */
  build: string;
  /** Called when no daemon listens or one of another build does. Resolves to the build of the one that MUST answer then: another one only if it must not end yet. The request is then repeated */
  revive: () => Promise<string>;
}

export interface LaunchOptions {
  home: Home;
  /** Folder of the bundles */
  distDir: string;
  /** Called with what the user should know of a daemon of another build */
  say: (text: string) => void;
}

/** Names the build that a client needs: a daemon of another one does nothing, and answers 409 */
export const BUILD_HEADER = 'sbx-build';
/** The client's `SSH_AUTH_SOCK`, as a URI component: the daemon's own may be of an ended login */
export const SSH_AGENT_HEADER = 'sbx-ssh-agent';
/** Name of the upgrade of a connection to a guest */
export const GUEST_PROTOCOL = 'sbx-guest';
/** Header of the upgrade's answer: the `GuestPlace`, as JSON in a URI component */
export const PLACE_HEADER = 'sbx-sandbox';

/** Only finds a daemon that runs, of whatever build. */
export function running(home: Home): Connection {
  return { socketPath: socketPath(home.daemon.socket) };
}

export function headersOf({ revival }: Connection): Record<string, string> {
  const socket = process.env['SSH_AUTH_SOCK'] ?? '';
  return {
    host: 'sbx',
    ...(revival === undefined ? {} : { [BUILD_HEADER]: encodeURIComponent(revival.build) }),
    ...(socket === '' ? {} : { [SSH_AGENT_HEADER]: encodeURIComponent(socket) }),
  };
}

/** Retries `ask` once after a revival: nothing was done when no daemon listens, or one of another build does. */
export async function alive<T>({ revival }: Connection, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (revival === undefined || !wantsRevival(error)) throw error;
    revival.build = await revival.revive();
    return ask();
  }
}

function wantsRevival(error: unknown): boolean {
  if (!(error instanceof SbxError)) return false;
  if (error.code === 'daemon-version') return true;
  return error.code === 'daemon-unreachable' && ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error.cause) ?? '');
}

/** The body of a daemon's answer. @throws SbxError `daemon-unreachable` when it is not JSON or does not arrive whole. */
export async function readJson(response: IncomingMessage): Promise<unknown> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString() || 'null');
  } catch (error) {
    throw unreachable(error);
  }
}

/** The error in a daemon's answer. */
export function errorOf(body: unknown): SbxError {
  return fromErrorJson(
    (body as { error?: ErrorJson } | null)?.error ?? { code: 'internal', message: 'the daemon gave no reason' },
  );
}

export function unreachable(cause: unknown): SbxError {
  return new SbxError('daemon-unreachable', 'the sbx daemon does not answer', {
    why: cause instanceof Error ? cause.message : 'it closed the connection',
    hint: 'run the command again: it is started on demand; `sbx daemon logs` shows why it ended',
    cause,
  });
}

/** Node would work out the name for TLS, which takes it 3 ms. */
export const NO_SERVER_NAME = { servername: '' };
