/**
 * The way into a sandbox: one request, answered by the guest's protocol. Written out by hand: Node's HTTP client takes a command longer to
 * load than the whole answer takes to come.
 */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { SbxError } from '../errors.ts';
import { alive, type Connection, errorOf, GUEST_PROTOCOL, headersOf, PLACE_HEADER, unreachable } from './connection.ts';

/** Which sandbox: its instance id, or what a person calls it from a folder (see `chooseSandbox`) */
export type WantedGuest = { id: string } | { cwd: string; name: string | undefined };

export interface GuestPlace {
  id: string;
  name: string;
  /** The workspace's path, inside as outside */
  workspace: string;
}

export interface OpenGuest {
  /** Speaks the guest's protocol; paused, so that nothing of it is lost */
  socket: Duplex;
  place: GuestPlace;
}

/** Longest head of an answer, bytes: a path has 4 KiB at most, three times as much when it is encoded */
const HEAD_MAX = 64 * 1024;
const HEAD_END = '\r\n\r\n';

/** @throws SbxError `not-found`, `ambiguous-name`, `not-running`, `stopped-idle`, and as the daemon reports it. */
export function openGuest(connection: Connection, wanted: WantedGuest): Promise<OpenGuest> {
  return alive(connection, () => ask(connection, addressOf(wanted)));
}

function addressOf(wanted: WantedGuest): string {
  if ('id' in wanted) return `/v1/sandboxes/${encodeURIComponent(wanted.id)}/guest`;
  const name = wanted.name === undefined ? '' : `&name=${encodeURIComponent(wanted.name)}`;
  return `/v1/guest?cwd=${encodeURIComponent(wanted.cwd)}${name}`;
}

async function ask(connection: Connection, address: string): Promise<OpenGuest> {
  const fields = { ...headersOf(connection), connection: 'Upgrade', upgrade: GUEST_PROTOCOL };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(connection.socketPath);
  socket.write(`GET ${address} HTTP/1.1\r\n${head.join('')}\r\n`);
  try {
    const answer = await readHead(socket);
    if (answer.status !== 101) throw errorOf(await readBody(socket, answer.rest));
    if (answer.rest.length > 0) socket.unshift(answer.rest);
    return { socket, place: JSON.parse(decodeURIComponent(answer.place)) as GuestPlace };
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw error instanceof SbxError ? error : unreachable(error);
  }
}

interface Head {
  status: number;
  place: string;
  /** What came behind it */
  rest: Buffer;
}

function readHead(socket: Duplex): Promise<Head> {
  return new Promise((resolve, reject) => {
    let seen: Buffer = Buffer.alloc(0);
    const end = (outcome: Head | Error) => {
      socket.off('data', onData).off('error', end).off('close', onClose);
      socket.pause();
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const onData = (chunk: Buffer) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const at = seen.indexOf(HEAD_END);
      if (at < 0 && seen.length > HEAD_MAX) return end(new Error('its answer has no end'));
      if (at >= 0) end(parseHead(seen.subarray(0, at).toString('latin1'), seen.subarray(at + HEAD_END.length)));
    };
    const onClose = () => end(new Error('it closed the connection'));
    socket.on('data', onData).once('error', end).once('close', onClose);
  });
}

function parseHead(text: string, rest: Buffer): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const place = lines.find((line) => line.toLowerCase().startsWith(`${PLACE_HEADER}:`));
  return { status: Number(first.split(' ')[1]), place: place?.slice(PLACE_HEADER.length + 1).trim() ?? '', rest };
}

/** To its end: what refuses closes the connection. */
async function readBody(socket: Duplex, first: Buffer): Promise<unknown> {
  const chunks = [first];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
