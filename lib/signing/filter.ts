/** Decides on each message of a guest to the ssh agent of the host. Pure. */
import { blobOf } from './public-key.ts';
import { GIT_NAMESPACE, parseSignedData, type SignedData } from './signed-data.ts';
import { Fields, MESSAGE } from './wire.ts';

export type Decision =
  /** Answered without the agent: the one key */
  | { kind: 'identities' }
  | { kind: 'sign'; data: Buffer; signed: SignedData; flags: number }
  | { kind: 'refused'; why: string };

/** Controls that the tests switch off, one by one; no setting does. */
export interface FilterEnforcement {
  /** Only the approved key signs */
  key: boolean;
  /** Only what has the form of `ssh-keygen -Y sign` is signed: nothing that logs in */
  form: boolean;
  /** Only the namespace of git */
  namespace: boolean;
}

export const FULL_FILTER: FilterEnforcement = { key: true, form: true, namespace: true };

/** SHA-256 and SHA-512 of an RSA key; no flag: the key's own */
const FLAGS = new Set([0, 2, 4]);
const OTHER_MESSAGES: Record<number, string> = {
  1: 'keys of the first protocol',
  17: 'adding a key',
  18: 'removing a key',
  19: 'removing all keys',
  20: 'adding a smartcard',
  21: 'removing a smartcard',
  22: 'locking the agent',
  23: 'unlocking the agent',
  25: 'adding a key with constraints',
  26: 'adding a smartcard with constraints',
  27: 'an extension of the protocol',
};
const UNKNOWN_DATA: SignedData = { namespace: '', algorithm: '', hash: Buffer.alloc(0) };

/** `message`: without its length. `key`: see `publicKeyOf`. */
export function decideMessage(message: Buffer, key: string, enforcement: FilterEnforcement = FULL_FILTER): Decision {
  const type = message[0];
  if (type === MESSAGE.requestIdentities && message.length === 1) return { kind: 'identities' };
  if (type !== MESSAGE.signRequest) return refused(OTHER_MESSAGES[type ?? 0] ?? `a message of the number ${type}`);
  const fields = new Fields(message.subarray(1));
  const [asked, data, flags] = [fields.string(), fields.string(), fields.uint32()];
  if (asked === undefined || data === undefined || flags === undefined || !fields.atEnd)
    return refused('a malformed request');
  if (!FLAGS.has(flags)) return refused('a request with unknown flags');
  if (enforcement.key && !asked.equals(blobOf(key))) return refused('a signature by another key');
  const signed = parseSignedData(data);
  if (signed === undefined)
    return enforcement.form
      ? refused('a signature for a login, or for something else that is no commit or tag')
      : { kind: 'sign', data, signed: UNKNOWN_DATA, flags };
  if (enforcement.namespace && signed.namespace !== GIT_NAMESPACE)
    return refused(`a signature for the namespace ${JSON.stringify(signed.namespace.slice(0, 64))}`);
  return { kind: 'sign', data, signed, flags };
}

function refused(what: string): Decision {
  return { kind: 'refused', why: `${what}: only commits and tags are signed, by the approved key` };
}
