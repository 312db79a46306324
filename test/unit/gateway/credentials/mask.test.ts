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

test.each([['p%25x-0123456789'], ['a\\\\b-0123456789'], ['a&amp;b-0123456789'], ['\\u0041b-0123456789']])(
  'a secret that holds what looks like an escape (%s) is masked as it is, wherever it is cut',
  (secret) => {
    const forms = encodingsOf(secret, undefined);
    for (let cut = 0; cut <= secret.length + 2; cut += 1) {
      const mask = createMask(forms).stream();
      const text = `(${secret})`;
      const shown = mask.push(text.slice(0, cut)) + mask.push(text.slice(cut)) + mask.rest();
      expect(shown, String(cut)).toBe(`(${'*'.repeat(secret.length)})`);
    }
  },
);

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

  const html = (text: string, write: (code: number) => string) =>
    text.replace(/[^\w-]/g, (char) => write(char.charCodeAt(0)));

  test.each([
    ['JSON', JSON.stringify(SECRET)],
    ['JSON with escaped slashes', JSON.stringify(SECRET).replaceAll('/', '\\/')],
    ['JSON with \\u escapes', html(SECRET, (code) => `\\u00${code.toString(16)}`)],
    ['JSON with \\U escapes', html(SECRET, (code) => `\\u00${code.toString(16).toUpperCase()}`)],
    ['every character with a \\u escape', [...SECRET].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join('')],
    ['JavaScript', html(SECRET, (code) => `\\x${code.toString(16)}`)],
    ['an address', encodeURIComponent(SECRET)],
    ['an address in lower case', encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase())],
    ['every character of an address', [...SECRET].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')],
    ['HTML', html(SECRET, (code) => `&#${code};`)],
    ['HTML in hex', html(SECRET, (code) => `&#x${code.toString(16)};`)],
    ['HTML in hex, upper case and padded', html(SECRET, (code) => `&#X00${code.toString(16).toUpperCase()};`)],
    ['HTML by name', SECRET.replace('/', '&sol;').replaceAll('+', '&plus;').replace('"', '&quot;')],
    ['hex', Buffer.from(SECRET).toString('hex')],
    ['upper case hex', Buffer.from(SECRET).toString('hex').toUpperCase()],
  ])('%s, also in pieces', (_name, writing) => {
    const whole = through(`a ${writing} b`, []);
    expect(whole).toHaveLength(writing.length + 4);
    for (let at = 0; at + 12 < writing.length; at += 4) expect(whole).not.toContain(writing.slice(at, at + 12));
    const cut = through(
      `a ${writing} b`,
      Array.from({ length: writing.length + 4 }, (_, at) => at),
    );
    expect(cut).toBe(whole);
    expect(createMask([]).replace(writing)).toBe(writing);
  });

  test.each(['\n', '\r\n', '\\n', '\\r\\n', '%0A', '&#10;', '\n    '])('base64 with lines broken by %j', (end) => {
    const lines =
      Buffer.from(`Bearer ${SECRET}`)
        .toString('base64')
        .match(/.{1,12}/g) ?? [];
    const text = lines.join(end);
    for (const cuts of [[], Array.from({ length: text.length }, (_, at) => at)])
      for (const line of lines.slice(2, -1)) expect(through(text, cuts)).not.toContain(line);
  });

  test('a name whose letters have lost their case', () => {
    const { occursIn } = createMask(FORMS);
    expect(occursIn(`X-${SECRET.toLowerCase()}`)).toBe(true);
    expect(occursIn('X-Request-Id')).toBe(false);
  });

  test('blanks without end hold back no more than a line', () => {
    const mask = createMask(FORMS).stream();
    const core = FORMS.at(-1)?.text ?? '';
    mask.push(core.slice(0, 10));
    let shown = '';
    for (let count = 0; count < 100; count += 1) shown += mask.push('\n');
    expect(shown.length).toBeGreaterThan(0);
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
