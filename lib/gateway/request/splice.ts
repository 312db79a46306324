/** Two sockets joined: what one says reaches the other, also what it said before it left. */
import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import type { ByteReader } from '../http/byte-reader.ts';
import { endWith } from '../http/socket-write.ts';
import { carry } from '../limits/meter.ts';
import type { Travel } from './active-request.ts';
import type { ListenerState } from './listener-state.ts';

export interface Joint {
  client: Socket;
  /** Of the client */
  reader: ByteReader;
  state: ListenerState;
}

const NOTHING = Buffer.alloc(0);

/** `early`: of the upstream, read already. `change`: what the upstream says passes through it. */
export function splice(joint: Joint, going: Travel, early: Buffer = NOTHING, change?: Transform): void {
  change?.on('error', () => going.close()).pipe(joint.client);
  if (early.length > 0) (change ?? joint.client).write(early);
  downstream(joint, going, change);
  upstreamOf(joint, going);
}

export function downstream({ client, state }: Joint, going: Travel, change?: Transform): void {
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
  carry(upstream, change ?? client, state.meters.down);
}

export function upstreamOf({ client, reader, state }: Joint, going: Travel): void {
  const upstream = going.connection.socket;
  const early = reader.release();
  if (early.length > 0) upstream.write(early);
  carry(client, upstream, state.meters.up);
}
