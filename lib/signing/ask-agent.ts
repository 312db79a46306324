/** Asks an ssh agent of the host one question. */
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { connectTo } from '../system/unix-socket.ts';

/** An agent may have many keys, each with a comment */
const ANSWER_MAX = 1024 * 1024;

/** The answer without its length. @throws Error: it does not answer in time, or not in the form of the protocol. */
export async function askAgent(path: string, request: Buffer, ms: number): Promise<Buffer> {
  // SSH_AUTH_SOCK is often a link that follows the latest login.
  const socket = connectTo(await realpath(path));
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${ms / 1000} s`)), ms);
  try {
    await once(socket, 'connect');
    socket.write(request);
    let held = Buffer.alloc(0);
    for await (const chunk of socket) {
      held = Buffer.concat([held, chunk as Buffer]);
      const length = held.length < 4 ? undefined : held.readUInt32BE();
      if (length === undefined) continue;
      if (length === 0 || length > ANSWER_MAX) throw new Error('its answer has another form');
      if (held.length >= 4 + length) return held.subarray(4, 4 + length);
    }
    throw new Error('it closed the connection');
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
