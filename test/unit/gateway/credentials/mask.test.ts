import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodingsOf } from '../../../../lib/gateway/credentials/encodings.ts';
import { createMask } from '../../../../lib/gateway/credentials/mask.ts';

const SECRET = 'sk-REAL/with+odd"chars-0123456789';
const PLACEHOLDER = 'sk-sbxplace'.padEnd(SECRET.length, '0');
const FORMS = encodingsOf(SECRET, PLACEHOLDER);

/** All of it through a mask, cut at these places. */
function through(text: string, cuts: readonly number[], least?: number): string {
  const mask = createMask(FORMS).stream(least);
  const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b);
  const parts = [0, ...at].map((from, index) => text.slice(from, at[index]));
  return parts.map((part) => mask.push(part)).join('') + mask.rest();
}

describe('forms of a secret', () => {
  test('each is shown exactly as long as it is', () => {
    for (const { text, shown } of FORMS) expect(shown).toHaveLength(text.length);
    expect(encodingsOf('abc', undefined)).toEqual([]);
    expect(encodingsOf('longenough', 'x')[0]).toEqual({ text: 'longenough', shown: '*'.repeat(10) });
  });

  test('in base64 it is found wherever it begins, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        fc.boolean(),
        (before, after, url) => {
          const bytes = Buffer.concat([before, Buffer.from(SECRET), after]);
          const text = bytes.toString(url ? 'base64url' : 'base64');
          return createMask(FORMS).replace(text) !== text;
        },
      ),
    );
  });

  test('a JSON text, an address, hex', () => {
    const mask = createMask(FORMS).replace;
    const variants = [
      JSON.stringify(SECRET),
      JSON.stringify(SECRET).replaceAll('/', '\\/'),
      encodeURIComponent(SECRET),
      Buffer.from(SECRET).toString('hex'),
      Buffer.from(SECRET).toString('hex').toUpperCase(),
    ];
    for (const writing of variants) expect(mask(writing)).not.toContain(writing.slice(4, -4));
  });
});

describe('a mask', () => {
  test('hides a secret however the stream is cut, and changes nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom(SECRET, SECRET.slice(0, 9), SECRET.slice(-9), 's', 'sk-'))),
        fc.array(fc.nat()),
        (parts, cuts) => {
          const text = parts.join('');
          const out = through(text, cuts);
          return out.length === text.length && !out.includes(SECRET) && out === text.split(SECRET).join(PLACEHOLDER);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('holds back no more than what could begin one', () => {
    const mask = createMask(FORMS).stream();
    expect(mask.push('data: hello\n\n')).toBe('data: hello\n\n');
    expect(mask.push('to sk-RE')).toBe('to ');
    expect(mask.push('D\n')).toBe('sk-RED\n');
    expect(mask.rest()).toBe('');
  });

  test('where a reader waits for the last character, a short beginning is let go', () => {
    const mask = createMask(FORMS).stream(8);
    expect(mask.push('ends with s')).toBe('ends with s');
    expect(mask.push(SECRET.slice(0, 10))).toBe('');
    expect(mask.push(SECRET.slice(10))).toBe(PLACEHOLDER);
  });

  test('without a secret it is nothing', () => {
    const mask = createMask([]).stream();
    expect(mask.push('sk-')).toBe('sk-');
    expect(mask.rest()).toBe('');
  });
});
