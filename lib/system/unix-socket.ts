/**
 * Connects to and listens at Unix sockets by descriptor, not by path. A socket address has at most 107 bytes, and the folder of a VM's sockets
 * may be longer; and QEMU may write there: a link in place of a socket would lead to the socket of another sandbox, or of the host.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';

/** Linux: refers to a file without opening it. Node has no name for it */
const O_PATH = 0o10_000_000;

/**
 * Like `connect` of node:net; a link is not followed.
 * @throws Error `ENOENT` and the like, `ECONNREFUSED` when there is no socket.
 */
export function connectTo(path: string): Socket {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  if (!fstatSync(fd).isSocket()) {
    closeSync(fd);
    throw Object.assign(new Error(`connect ECONNREFUSED ${path}: not a socket`), { code: 'ECONNREFUSED' });
  }
  const socket = connect(`/proc/self/fd/${fd}`);
  const release = releaseOf(fd);
  return socket.once('connect', release).once('close', release);
}

/** Like `listen`. The folder stays open until the server has closed, which removes the socket by its name there. */
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

/** Closes once only: the number is soon reused for another file. */
function releaseOf(fd: number): () => void {
  let held = true;
  return () => {
    if (held) closeSync(fd);
    held = false;
  };
}
