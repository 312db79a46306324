/** Splits a connection of the ssh agent's protocol into messages. */
import type { Socket } from 'node:net';

/** A request of git has some 300 bytes, with the largest RSA key 2.5 KiB */
const MESSAGE_MAX = 8 * 1024;

/** Each message without its length. @throws Error on one that is empty, too long or cut off. */
export async function* readMessages(socket: Socket): AsyncGenerator<Buffer, void> {
  let held = Buffer.alloc(0);
  for await (const chunk of socket) {
    held = Buffer.concat([held, chunk as Buffer]);
    while (held.length >= 4) {
      const length = held.readUInt32BE();
      if (length === 0 || length > MESSAGE_MAX) throw new Error(`a message of ${length} bytes`);
      if (held.length < 4 + length) break;
      const message = held.subarray(4, 4 + length);
      held = held.subarray(4 + length);
      yield message;
    }
  }
  if (held.length > 0) throw new Error('a message that was cut off');
}
