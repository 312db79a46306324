/** Two sockets joined: what one says reaches the other, also what it said before it left. */
import type { Socket } from 'node:net';
import type { ByteReader } from './byte-reader.ts';
import type { DoorState } from './door-state.ts';
import { carry } from './meter.ts';
import type { Travel } from './request.ts';
import { endWith } from './socket-write.ts';

export interface Joint {
  client: Socket;
  /** Of the client */
  reader: ByteReader;
  state: DoorState;
}

const NOTHING = Buffer.alloc(0);

/** `early`: of the upstream, read already. */
export function splice(joint: Joint, going: Travel, early: Buffer = NOTHING): void {
  if (early.length > 0) joint.client.write(early);
  downstream(joint, going);
  upstreamOf(joint, going);
}

export function downstream({ client, state }: Joint, going: Travel): void {
  const upstream = going.connection.socket;
  upstream.setTimeout(state.limits.idleMs, () => going.close('idle'));
  upstream.on('close', () => {
    going.close();
    if (upstream.errored) client.destroy();
    else endWith(client, NOTHING);
  });
  const onGone = () => {
    if (client.readableEnded) upstream.destroySoon();
    else going.close();
  };
  client.on('close', onGone);
  if (client.destroyed) onGone();
  carry(upstream, client, state.meters.down);
}

export function upstreamOf({ client, reader, state }: Joint, going: Travel): void {
  const upstream = going.connection.socket;
  const early = reader.release();
  if (early.length > 0) upstream.write(early);
  carry(client, upstream, state.meters.up);
}
