/** Opens a connection to a guest: an HTTP request on the daemon's socket that is upgraded to the guest's protocol. */
import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { SbxError } from '../errors.ts';
import {
  alive,
  type Connection,
  errorOf,
  GUEST_PROTOCOL,
  headersOf,
  NO_SERVER_NAME,
  PLACE_HEADER,
  readJson,
  unreachable,
} from './connection.ts';

/** Which sandbox: its instance id, or what a person calls it from a folder (see `chooseSandbox`) */
export type WantedGuest = { id: string } | { cwd: string; name: string | undefined };

export interface GuestPlace {
  id: string;
  name: string;
  /** The workspace's path, inside as outside */
  workspace: string;
  /** File of the sandbox's mailbox, for copies; it may be absent */
  mailbox: string;
}

export interface OpenGuest {
  /** Speaks the guest's protocol; paused, so that nothing of it is lost */
  socket: Duplex;
  place: GuestPlace;
}

/** Longest head of an answer, bytes: a path has at most 4 KiB, encoded three times as much */
const HEAD_MAX = 64 * 1024;

/** @throws SbxError `not-found`, `ambiguous-name`, `not-running`, `stopped-idle`, and as the daemon reports it. */
export function openGuest(connection: Connection, wanted: WantedGuest): Promise<OpenGuest> {
  return alive(connection, () => ask(connection, addressOf(wanted)));
}

function addressOf(wanted: WantedGuest): string {
  if ('id' in wanted) return `/v1/sandboxes/${encodeURIComponent(wanted.id)}/guest`;
  const name = wanted.name === undefined ? '' : `&name=${encodeURIComponent(wanted.name)}`;
  return `/v1/guest?cwd=${encodeURIComponent(wanted.cwd)}${name}`;
}

function ask(connection: Connection, path: string): Promise<OpenGuest> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(error instanceof SbxError ? error : unreachable(error));
    const headers = { ...headersOf(connection), connection: 'Upgrade', upgrade: GUEST_PROTOCOL };
    httpRequest({
      socketPath: connection.socketPath,
      path,
      headers,
      agent: false,
      maxHeaderSize: HEAD_MAX,
      ...NO_SERVER_NAME,
    })
      .once('upgrade', ({ headers: fields }, socket, head) => {
        socket.pause();
        if (head.length > 0) socket.unshift(head);
        try {
          resolve({ socket, place: JSON.parse(decodeURIComponent(String(fields[PLACE_HEADER]))) as GuestPlace });
        } catch (error) {
          socket.destroy();
          fail(error);
        }
      })
      .once('response', (response) => void readJson(response).then((body) => reject(errorOf(body)), fail))
      .on('error', fail)
      .end();
  });
}
