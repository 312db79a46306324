import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { signingKeyOf } from '../../../../lib/config/resolve/signing-key.ts';
import { KEY } from '../../signing/data.ts';
import { hostFacts } from '../project.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-key-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const source = () => ({ file: join(dir, 'sandbox.toml'), line: 3, column: 1 });
function keyOf(sign: boolean | string | undefined, values: Record<string, string> = {}) {
  return signingKeyOf({
    config: sign === undefined ? {} : { git: { sign } },
    sources: { 'git.sign': source() },
    file: source().file,
    dir,
    host: { ...hostFacts(), home: dir, gitValue: async (key) => values[key] },
  });
}
const SSH = { 'gpg.format': 'ssh' };

describe('the key that signs', () => {
  test('is none without the field, or with false', async () => {
    expect(await keyOf(undefined)).toBeUndefined();
    expect(await keyOf(false, { ...SSH, 'user.signingkey': KEY })).toBeUndefined();
  });

  test('is the one of the host’s git, in each form that git takes', async () => {
    mkdirSync(join(dir, '.ssh'));
    writeFileSync(join(dir, '.ssh/id.pub'), `${KEY} me@host\n`);
    for (const value of [KEY, `key::${KEY}`, '~/.ssh/id.pub', '~/.ssh/id', join(dir, '.ssh/id.pub')])
      expect(await keyOf(true, { ...SSH, 'user.signingkey': value })).toBe(KEY);
  });

  test('is the one of the file, also by a path beside it', async () => {
    writeFileSync(join(dir, 'team.pub'), KEY);
    expect(await keyOf(`${KEY} comment`)).toBe(KEY);
    expect(await keyOf('team.pub')).toBe(KEY);
  });

  test.each([
    [true, {}, /only ssh signing is supported, and gpg.format of your git is openpgp/],
    [true, { 'gpg.format': 'x509' }, /is x509/],
    [true, SSH, /your git has no signing key/],
    [true, { ...SSH, 'user.signingkey': '~/.ssh/none' }, /user.signingkey of your git names no public key/],
    ['ssh-ed25519 AAAA', {}, /not a public key of ssh/],
    ['none.pub', {}, /none.pub names no public key/],
  ])('sign = %j with %j is an error at its line', async (sign, values, message) => {
    await expect(keyOf(sign, values)).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/public key/),
      place: { line: 3 },
    });
  });

  test('is never read from a private key, and no content of a file is in the error', async () => {
    writeFileSync(join(dir, 'id'), KEY);
    writeFileSync(join(dir, 'secret.pub'), 'password=hunter2');
    await expect(keyOf('id')).rejects.toMatchObject({ message: 'git.sign: id names no public key' });
    const error = (await keyOf('secret.pub').catch((thrown: unknown) => thrown)) as Error;
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain('hunter2');
  });
});
