import { rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { extraCas } from '../../../../lib/image/bake/host-trust.ts';

const [A = '', B = '', C = ''] = rootCertificates;

test('what every system trusts is left out, whatever its text looks like', () => {
  const reflowed = A.replace(/\n/g, '\r\n');
  expect(extraCas(`# A\n${reflowed}\n# B\n${B}\n`, [A])).toBe(`${B}\n`);
  expect(extraCas(A, [A, B])).toBe('');
});

test('each once; the same set gives the same text', () => {
  const text = extraCas(`${B}\n${C}\n${B}\n`, [A]);
  expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(extraCas(`${C}\n${B}\n`, [A])).toBe(text);
});

test('blocks that are no certificates are left out, also among the known ones', () => {
  const broken = '-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----';
  expect(extraCas(`${broken}\n${B}\n-----BEGIN CERTIFICATE-----\nbegun`, ['', broken])).toBe(`${B}\n`);
  expect(extraCas('', [A])).toBe('');
});
