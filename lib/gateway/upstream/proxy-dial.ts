/** Opens a CONNECT tunnel through the host's own proxy. */
import type { Socket } from 'node:net';
import { authorityOf } from '../address/canonical-host.ts';
import { readBytes } from '../http/byte-reader.ts';
import { headBytes, splitHead } from '../http/headers.ts';
import type { HostProxy } from './proxy-settings.ts';

const ANSWER_MS = 15_000;

/** Returns the socket after the 2xx response of the proxy. */
export async function dialThrough(
  socket: Socket,
  proxy: HostProxy,
  target: { host: string; port: number; addresses: string[] },
  signal: AbortSignal,
): Promise<Socket> {
  // A checked literal is dialled as that literal.
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
    if (!/^HTTP\/1\.[01] 2\d\d( |$)/.test(line)) throw new Error(`the host's proxy responded: ${line.slice(0, 80)}`);
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
      if ('bad' in split) throw new Error(`invalid response from the host's proxy: ${split.bad}`);
      // Bytes of the target itself (a server that speaks first) go back to the front of the stream.
      const rest = reader.release().subarray(split.bytes);
      if (rest.length > 0) socket.unshift(rest);
      return split.lines[0] ?? '';
    }
    if (!(await reader.more())) throw new Error("the host's proxy closed the connection");
  }
}
