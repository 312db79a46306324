/** Stores values in one file with mode 0600, for hosts without a keyring. */
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { errnoOf, SbxError } from '../errors.ts';
import { ensurePrivateDir } from '../paths.ts';
import type { ValueStore } from './types.ts';

export function fileStore(path: string): ValueStore {
  const write = (values: Map<string, string>) => {
    ensurePrivateDir(dirname(path));
    writeFileAtomic.sync(path, JSON.stringify({ version: 1, values: Object.fromEntries(values) }), { mode: 0o600 });
    // The mode above applies to a new file only.
    chmodSync(path, 0o600);
  };
  return {
    kind: 'file',
    get: async (key) => read(path).get(key),
    async set(key, value) {
      write(read(path).set(key, value));
    },
    async remove(key) {
      const values = read(path);
      if (values.delete(key)) write(values);
    },
  };
}

function read(path: string): Map<string, string> {
  let text: string;
  try {
    if ((statSync(path).mode & 0o077) !== 0) throw unreadable(path, 'other users can read it', `chmod 600 ${path}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof SbxError) throw error;
    if (errnoOf(error) === 'ENOENT') return new Map();
    throw unreadable(path, errnoOf(error) ?? 'unknown error', 'make it readable for your user only');
  }
  try {
    const { values } = JSON.parse(text) as { values: Record<string, string> };
    return new Map(Object.entries(values));
  } catch {
    // The message of the parser would quote the file.
    throw unreadable(path, 'it is damaged', 'remove it, then set the secrets again');
  }
}

function unreadable(path: string, why: string, hint: string): SbxError {
  return new SbxError('secret', `the file of secrets cannot be read: ${path}`, { why, hint });
}
