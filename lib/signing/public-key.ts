/** Public keys of ssh as a line of text. Pure. */
import { createHash } from 'node:crypto';
import { Fields } from './wire.ts';

const TYPES = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]);
const LONGEST = 8 * 1024;

/** `ssh-ed25519 AAAA…`, without the comment; undefined: it is no public key of a kind that signs. */
export function publicKeyOf(text: string): string | undefined {
  const [type = '', base64 = ''] = text.trim().split(/\s+/);
  if (!TYPES.has(type) || base64.length > LONGEST || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const blob = Buffer.from(base64, 'base64');
  if (blob.toString('base64') !== base64 || new Fields(blob).string()?.toString('latin1') !== type) return undefined;
  return `${type} ${base64}`;
}

/** The bytes of a key that `publicKeyOf` returned. */
export function blobOf(key: string): Buffer {
  return Buffer.from(key.split(' ')[1] ?? '', 'base64');
}

/** As `ssh-add -l` shows it */
export function fingerprintOf(key: string): string {
  return `SHA256:${createHash('sha256').update(blobOf(key)).digest('base64').replace(/=+$/, '')}`;
}
