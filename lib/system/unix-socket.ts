/**
 * Sockets by what stands at a path, not by the path as an address. An address has at most 107 bytes, and the folder of a machine's sockets may
 * be longer; and QEMU may write there: a link that it put in a socket's place would lead to the socket of another sandbox, or of the host.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';

/** Of Linux: what stands there, without opening it. Node does not name it */
const O_PATH = 0o10_000_000;

/**
 * Like `connect` of node:net; a link is not followed.
 * @throws Error `ENOENT` and the like, `ECONNREFUSED` where no socket stands.
 */
export function connectTo(path: string): Socket {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  if (!fstatSync(fd).isSocket()) {
    closeSync(fd);
    throw Object.assign(new Error(`connect ECONNREFUSED ${path}: no socket stands there`), { code: 'ECONNREFUSED' });
  }
  const socket = connect(`/proc/self/fd/${fd}`);
  const release = releaseOf(fd);
  return socket.once('connect', release).once('close', release);
}

/** Like `listen`. The folder is held until the server has closed, which removes the socket by its name there. */
export async function listenAt(server: Server, path: string): Promise<void> {
  const folder = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
  const release = releaseOf(folder);
  await new Promise<void>((resolve, reject) => {
    server.once('close', release);
    server.once('error', (error) => {
      if (!server.listening) release();
      reject(error);
    });
    server.listen(`/proc/self/fd/${folder}/${basename(path)}`, resolve);
  });
}

/** Once only: the same number is another file's soon. */
function releaseOf(fd: number): () => void {
  let held = true;
  return () => {
    if (held) closeSync(fd);
    held = false;
  };
}
