import { describe, expect, test } from 'vitest';
import { publicKeyOf } from '../../../lib/signing/public-key.ts';
import { sshString } from '../../../lib/signing/wire.ts';
import { KEY } from './data.ts';

const BASE64 = KEY.split(' ')[1] ?? '';

describe('a public key', () => {
  test('has no comment and no spaces around it', () => {
    expect(publicKeyOf(`  ${KEY} me@host\n`)).toBe(KEY);
  });

  test.each([
    ['', 'nothing'],
    ['ssh-ed25519', 'a type alone'],
    [`ssh-rsa ${BASE64}`, 'another type than in the key'],
    [`ssh-dss ${sshString('ssh-dss').toString('base64')}`, 'a type that signs no more'],
    [`ssh-ed25519-cert-v01@openssh.com ${BASE64}`, 'a certificate'],
    [`ssh-ed25519 ${BASE64}!`, 'other characters'],
    [`no-pty ${KEY}`, 'options before it'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----', 'a private key'],
    ['ssh-ed25519 AAAA', 'a key that is cut off'],
  ])('is not %j: %s', (text) => {
    expect(publicKeyOf(text)).toBeUndefined();
  });
});
