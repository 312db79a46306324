import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOfPath, textOfPath } from '../../../../lib/workspace/server/sys/path-text.ts';

test('a path in UTF-8 reads as its text', () => {
  const path = 'déjà/文/🙂/.env';
  expect(textOfPath(Buffer.from(path))).toBe(path);
  expect(bytesOfPath(path)).toBe(Buffer.from(path).toString('latin1'));
});

test('a name that is no UTF-8 leaves the other names of its path readable', () => {
  const path = Buffer.concat([Buffer.from('ü/'), Buffer.from([0x66, 0xff]), Buffer.from('/.env')]);
  expect(
    textOfPath(path)
      .split('/')
      .filter((_, index) => index !== 1),
  ).toEqual(['ü', '.env']);
});

test('every path of bytes comes back as it was, and no two read the same', () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(bytes, bytes, (one, other) => {
      expect(bytesOfPath(textOfPath(one))).toBe(one.toString('latin1'));
      expect(textOfPath(one) === textOfPath(other)).toBe(one.equals(other));
    }),
  );
});
