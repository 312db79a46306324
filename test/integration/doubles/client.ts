/** A client that lives in the world of the doubles, and reads their streams by itself. */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { World } from '../../doubles/world.ts';

export const SCRIPT = { path: '/w/made.txt', content: "it's made\n", answer: 'It is made.' };

export interface Ask {
  host: string;
  path: string;
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export interface Answer {
  status: number;
  text: string;
}

/** A tunnel through the world's proxy. Rejects with the proxy's status when it opens none. */
export function tunnel({ environment }: World, authority: string): Promise<Socket> {
  const { hostname, port } = new URL(environment['https_proxy'] ?? '');
  return new Promise((resolve, reject) => {
    const asking = request({ host: hostname, port, method: 'CONNECT', path: authority });
    asking.once('error', reject).once('connect', ({ statusCode }, socket, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      if (statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`CONNECT ${authority}: ${statusCode}`));
    });
    asking.end();
  });
}

export async function secure(world: World, host: string, ca: string | undefined): Promise<TLSSocket> {
  const socket = await tunnel(world, `${host}:443`);
  return new Promise((resolve, reject) => {
    const inner = connect({ socket, servername: host, ...(ca === undefined ? {} : { ca }) }, () => resolve(inner));
    inner.once('error', reject);
  });
}

export async function ask(world: World, { host, path, method = 'POST', headers = {}, body }: Ask): Promise<Answer> {
  const socket = await secure(world, host, world.authority);
  return new Promise((resolve, reject) => {
    const asking = request({ host, path, method, headers, createConnection: () => socket });
    asking.once('error', reject).once('response', async (response) => {
      const parts: string[] = [];
      for await (const part of response.setEncoding('utf8')) parts.push(part as string);
      resolve({ status: response.statusCode ?? 0, text: parts.join('') });
    });
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The data of a stream's events, parsed; `[DONE]` as it is. */
export function eventsOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => (/^data: (.*)$/m.exec(block)?.[1] ?? '').replace(/^\[DONE\]$/, '{"done":true}'))
    .map((data) => JSON.parse(data) as Record<string, unknown>);
}
