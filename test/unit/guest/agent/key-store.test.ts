import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { keyStoreOf } from '../../../../lib/guest/agent/key-store.ts';

/** An independent reading of the format: what stands in a store. */
function read(store: Buffer): { aliases: string[]; certificates: X509Certificate[]; rest: number } {
  let at = 12;
  const text = () => {
    const size = store.readUInt16BE(at);
    at += 2 + size;
    return store.toString('utf8', at - size, at);
  };
  const aliases: string[] = [];
  const certificates: X509Certificate[] = [];
  for (let left = store.readUInt32BE(8); left > 0; left -= 1) {
    expect(store.readUInt32BE(at)).toBe(2);
    at += 4;
    aliases.push(text());
    at += 8;
    expect(text()).toBe('X.509');
    const size = store.readUInt32BE(at);
    at += 4 + size;
    certificates.push(new X509Certificate(store.subarray(at - size, at)));
  }
  return { aliases, certificates, rest: store.length - at };
}

test('a store holds every certificate of the bundle once, and a seal of 20 bytes', () => {
  const bundle = [
    '# a comment',
    ...rootCertificates,
    rootCertificates[0],
    '-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----',
  ];
  const store = keyStoreOf(bundle.join('\n'));
  expect([store.readUInt32BE(0), store.readUInt32BE(4)]).toEqual([0xfeedfeed, 2]);
  const { aliases, certificates, rest } = read(store);
  expect(certificates.map(({ fingerprint256 }) => fingerprint256)).toEqual(
    rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256),
  );
  expect(new Set(aliases).size).toBe(rootCertificates.length);
  expect(rest).toBe(20);
});
