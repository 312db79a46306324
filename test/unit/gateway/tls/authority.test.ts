import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadAuthority } from '../../../../lib/gateway/tls/authority.ts';
import { AUTHORITY_HASH } from '../../../../lib/guest/setup/operations.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-ca-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the authority of a sandbox', () => {
  test('is kept in a file that only its user reads, and is found again', async () => {
    const path = join(dir, 'kept.json');
    const first = await loadAuthority(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await loadAuthority(path)).pem).toBe(first.pem);
    const ca = new X509Certificate(first.pem);
    expect([ca.ca, ca.checkIssued(ca)]).toEqual([true, true]);
  });

  test('of another sandbox has another key', async () => {
    const [one, other] = await Promise.all([loadAuthority(join(dir, '1')), loadAuthority(join(dir, '2'))]);
    const [first, second] = [new X509Certificate(one.pem), new X509Certificate(other.pem)];
    expect(first.publicKey.equals(second.publicKey)).toBe(false);
  });

  test.each(['', '{', '{"version":1}', '[]'])('in a damaged file %j is made again', async (text) => {
    const path = join(dir, 'damaged.json');
    writeFileSync(path, text);
    const { pem } = await loadAuthority(path);
    expect(JSON.parse(readFileSync(path, 'utf8')).certificate).toBe(pem);
  });

  test('is found by OpenSSL under the name that the base has for it', async () => {
    const { pem } = await loadAuthority(join(dir, 'hash.json'));
    const hash = execFileSync('openssl', ['x509', '-noout', '-subject_hash'], { input: pem, encoding: 'utf8' });
    expect(hash.trim()).toBe(AUTHORITY_HASH);
  });
});
