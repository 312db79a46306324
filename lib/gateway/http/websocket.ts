/** Recognizes WebSocket upgrades (RFC 6455), the only ones that end request parsing. Pure. */
import { createHash } from 'node:crypto';
import type { Upgrade } from './exchange.ts';
import { type Header, listOf, valuesOf } from './headers.ts';
import type { RequestHead } from './request-head.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Undefined: not a WebSocket upgrade; any other Upgrade header is dropped. */
export function websocketOf({ method, version, body, headers }: RequestHead): Upgrade | undefined {
  const [key, ...more] = valuesOf(headers, 'sec-websocket-key');
  const asks =
    method === 'GET' &&
    version === '1.1' &&
    body.kind === 'none' &&
    listOf(headers, 'connection').includes('upgrade') &&
    listOf(headers, 'upgrade').join() === 'websocket';
  if (!asks || key === undefined || more.length > 0 || !/^[A-Za-z0-9+/]{22}==$/.test(key)) return undefined;
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  return {
    only: true,
    accepts: (answer: Header[]) =>
      valuesOf(answer, 'sec-websocket-accept').join() === accept &&
      listOf(answer, 'upgrade').join() === 'websocket' &&
      listOf(answer, 'connection').includes('upgrade'),
  };
}
