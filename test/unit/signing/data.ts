/** Keys, and what programs have an agent sign. */
import { createHash } from 'node:crypto';
import { blobOf } from '../../../lib/signing/public-key.ts';
import { sshString } from '../../../lib/signing/wire.ts';

const ed25519 = (seed: string) => {
  const point = createHash('sha256').update(seed).digest();
  return `ssh-ed25519 ${Buffer.concat([sshString('ssh-ed25519'), sshString(point)]).toString('base64')}`;
};
export const KEY = ed25519('one');
export const OTHER = ed25519('other');

export function signedData(namespace: string, algorithm = 'sha512', bytes = 64, reserved = ''): Buffer {
  const fields = [namespace, reserved, algorithm, Buffer.alloc(bytes, 7)].map((field) => sshString(field));
  return Buffer.concat([Buffer.from('SSHSIG'), ...fields]);
}

/** The challenge of a login (RFC 4252, section 7), for a session id of 32 bytes. */
export function login(key = KEY): Buffer {
  return Buffer.concat([
    sshString(Buffer.alloc(32, 9)),
    Buffer.from([50]),
    sshString('me'),
    sshString('ssh-connection'),
    sshString('publickey'),
    Buffer.from([1]),
    sshString('ssh-ed25519'),
    sshString(blobOf(key)),
  ]);
}
