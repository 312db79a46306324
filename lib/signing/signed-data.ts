/** What a client of `ssh-keygen -Y sign` has an agent sign (PROTOCOL.sshsig of OpenSSH). Pure. */
import { Fields } from './wire.ts';

const MAGIC = 'SSHSIG';
/** Of git, for commits, tags and pushes */
export const GIT_NAMESPACE = 'git';
const HASH_BYTES: Record<string, number> = { sha256: 32, sha512: 64 };

export interface SignedData {
  namespace: string;
  algorithm: string;
  /** Of the signed text */
  hash: Buffer;
}

/**
 * Undefined: it is not exactly this. What a login has signed begins with the length of its session id: no bytes are both, as the magic would be a
 * length of more than a gigabyte.
 */
export function parseSignedData(bytes: Buffer): SignedData | undefined {
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) return undefined;
  const fields = new Fields(bytes.subarray(MAGIC.length));
  const [namespace, reserved, algorithm, hash] = [fields.string(), fields.string(), fields.string(), fields.string()];
  if (namespace === undefined || algorithm === undefined || hash === undefined || !fields.atEnd) return undefined;
  const name = algorithm.toString('latin1');
  if (reserved?.length !== 0 || !Object.hasOwn(HASH_BYTES, name) || hash.length !== HASH_BYTES[name]) return undefined;
  return { namespace: namespace.toString('latin1'), algorithm: name, hash };
}
