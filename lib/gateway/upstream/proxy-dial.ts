/** CONNECT through the host's own proxy. */
import type { Socket } from 'node:net';
import { authorityOf } from '../address/canonical-host.ts';
import { readBytes } from '../http/byte-reader.ts';
import { headBytes, splitHead } from '../http/headers.ts';
import type { HostProxy } from './proxy-settings.ts';

const ANSWER_MS = 15_000;

/** The socket, once the proxy has said 200. */
export async function dialThrough(
  socket: Socket,
  proxy: HostProxy,
  target: { host: string; port: number; addresses: string[] },
  signal: AbortSignal,
): Promise<Socket> {
  // A literal that was checked stays the literal that is dialled.
  const authority = authorityOf({ host: target.addresses[0] ?? target.host, port: target.port });
  const end = () => socket.destroy();
  const timer = setTimeout(end, ANSWER_MS);
  signal.addEventListener('abort', end, { once: true });
  try {
    socket.write(
      headBytes(`CONNECT ${authority} HTTP/1.1`, [
        ['Host', authority],
        ...(proxy.authorization === undefined
          ? []
          : [['Proxy-Authorization', proxy.authorization] as [string, string]]),
      ]),
    );
    const line = await readAnswer(socket);
    if (!/^HTTP\/1\.[01] 2\d\d( |$)/.test(line)) throw new Error(`the host's proxy says: ${line.slice(0, 80)}`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

async function readAnswer(socket: Socket): Promise<string> {
  const reader = readBytes(socket);
  for (;;) {
    const split = splitHead(reader.buffered);
    if (split !== 'more') {
      if ('bad' in split) throw new Error(`the host's proxy answers with ${split.bad}`);
      // Bytes of the target itself (a server that speaks first) go back to the front of the stream.
      const rest = reader.release().subarray(split.bytes);
      if (rest.length > 0) socket.unshift(rest);
      return split.lines[0] ?? '';
    }
    if (!(await reader.more())) throw new Error("the host's proxy closed the connection");
  }
}
