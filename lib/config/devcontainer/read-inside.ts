/**
 * Reads a file of the project that becomes part of sandbox.toml. A link is refused, also in a folder on the way: it could bring a file of the host,
 * or one that is hidden in sandboxes, to where an agent reads it.
 */
import { constants } from 'node:fs';
import { open, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, SbxError } from '../../errors.ts';

/** Largest file that is read, in bytes */
const FILE_MAX = 64 * 1024;

/** `path`: relative to `dir`. Undefined where nothing is. @throws SbxError `config-invalid`. */
export async function readInside(dir: string, path: string): Promise<string | undefined> {
  try {
    // O_NONBLOCK: a pipe must not block.
    await using handle = await open(join(dir, path), constants.O_RDONLY | constants.O_NONBLOCK);
    const opened = await readlink(`/proc/self/fd/${handle.fd}`);
    if (opened !== join(await realpath(dir), path)) throw refused(path, 'it is a link, or is behind one');
    const found = await handle.stat();
    if (!found.isFile()) throw refused(path, 'it is not a regular file');
    if (found.size > FILE_MAX) throw refused(path, `it has ${found.size} bytes, the limit is ${FILE_MAX}`);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(FILE_MAX), 0, FILE_MAX, 0);
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, bytesRead));
  } catch (error) {
    if (error instanceof SbxError) throw error;
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw refused(path, code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8 text' : String(code), error);
  }
}

function refused(path: string, why: string, cause?: unknown): SbxError {
  return new SbxError('config-invalid', `${path} cannot be read`, {
    why,
    hint: 'make it a file of the project, or run `sbx init` without --from-devcontainer',
    cause,
  });
}
