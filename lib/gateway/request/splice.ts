/** Pipes two sockets into each other, flushing buffered data before close. */
import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import type { ByteReader } from '../http/byte-reader.ts';
import { endWith } from '../http/socket-write.ts';
import { pipeMetered } from '../limits/meter.ts';
import type { OpenConnection } from './active-request.ts';
import type { ListenerState } from './listener-state.ts';

export interface ClientSide {
  client: Socket;
  /** Reads `client` */
  reader: ByteReader;
  state: ListenerState;
}

const NOTHING = Buffer.alloc(0);

/** `early`: upstream bytes read already. `change`: transforms what the upstream sends. */
export function splice(side: ClientSide, open: OpenConnection, early: Buffer = NOTHING, change?: Transform): void {
  change?.on('error', () => open.close()).pipe(side.client);
  if (early.length > 0) (change ?? side.client).write(early);
  pipeDownstream(side, open, change);
  pipeUpstream(side, open);
}

export function pipeDownstream({ client, state }: ClientSide, open: OpenConnection, change?: Transform): void {
  const upstream = open.connection.socket;
  upstream.setTimeout(state.limits.idleMs, () => open.close('idle'));
  upstream.on('close', () => {
    open.close();
    if (upstream.errored) client.destroy();
    else endWith(client, NOTHING);
  });
  const onGone = () => {
    if (client.readableEnded) upstream.destroySoon();
    else open.close();
  };
  client.on('close', onGone);
  if (client.destroyed) onGone();
  pipeMetered(upstream, change ?? client, state.meters.down);
}

export function pipeUpstream({ client, reader, state }: ClientSide, open: OpenConnection): void {
  const upstream = open.connection.socket;
  const early = reader.release();
  if (early.length > 0) upstream.write(early);
  pipeMetered(client, upstream, state.meters.up);
}
