/** Proxies an outgoing connection through the gateway with `CONNECT`, so that the gateway alone decides. */
import { connect, type Socket } from 'node:net';

export interface Gateway {
  host: string;
  port: number;
}

const MAX_HEAD_BYTES = 16 * 1024;

/** `authority`: name or address with port. A denial is explained inside the stream, in the program's protocol, since the program knows no proxy. */
export function proxyStream(client: Socket, authority: string, gateway: Gateway): void {
  const upstream = connect({ ...gateway, allowHalfOpen: true });
  client.on('error', () => upstream.destroy());
  client.on('close', () => upstream.destroy());
  upstream.on('error', () => client.resetAndDestroy());
  upstream.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nSbx-Explain: inside\r\n\r\n`);
  let held = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    const end = held.indexOf('\r\n\r\n');
    if (end < 0) return held.length > MAX_HEAD_BYTES ? void client.resetAndDestroy() : undefined;
    upstream.off('data', onData).off('end', onEnd);
    upstream.pause();
    if (/^HTTP\/1\.[01] 200 /.test(held.toString('latin1', 0, 13))) join(client, upstream, held.subarray(end + 4));
    else client.resetAndDestroy();
  };
  const onEnd = () => client.resetAndDestroy();
  upstream.on('data', onData).on('end', onEnd);
}

function join(client: Socket, upstream: Socket, early: Buffer): void {
  if (early.length > 0) client.write(early);
  // A reset upstream resets the client, too: a normal end would look like a complete answer.
  upstream.on('close', (failed) => failed && client.resetAndDestroy());
  client.pipe(upstream);
  upstream.pipe(client);
}
