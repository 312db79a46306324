import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyReader } from '../../../../lib/gateway/http/body.ts';
import type { Framing } from '../../../../lib/gateway/http/headers.ts';

function readIn(steps: number, framing: Framing, bytes: Buffer) {
  const body = new BodyReader(framing);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const part = body.read(bytes.subarray(at, at + steps));
    if (typeof part === 'string') return { bad: part };
    out.push(...part.out);
    at += Math.min(steps, bytes.length - at) - part.rest.length;
    if (body.done) return { out: Buffer.concat(out).toString('latin1'), rest: bytes.subarray(at).toString('latin1') };
  }
  return { out: Buffer.concat(out).toString('latin1'), rest: 'not done' };
}

describe('a body', () => {
  test('of any framing ends where it ends, whatever the segments', () => {
    const chunks = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), { maxLength: 5 });
    fc.assert(
      fc.property(
        chunks,
        fc.integer({ min: 1, max: 60 }),
        fc.string({ maxLength: 9, unit: 'binary-ascii' }),
        (parts, steps, rest) => {
          const payload = parts.join('');
          const byLength = readIn(
            steps,
            { kind: 'length', bytes: payload.length },
            Buffer.from(payload + rest, 'latin1'),
          );
          if (payload.length > 0) expect(byLength).toEqual({ out: payload, rest });
          const wire = parts.map((part) => `${part.length.toString(16).toUpperCase()};ext\r\n${part}\r\n`).join('');
          const chunked = readIn(
            steps,
            { kind: 'chunked' },
            Buffer.from(`${wire}0\r\nTrailer: x\r\n\r\n${rest}`, 'latin1'),
          );
          expect(chunked.rest).toBe(rest);
          const again = readIn(1_000, { kind: 'chunked' }, Buffer.from(chunked.out ?? '', 'latin1'));
          expect(again).toEqual({ out: chunked.out, rest: '' });
          expect(chunked.out).not.toContain(';ext');
        },
      ),
    );
  });

  test.each([
    '\r\n',
    'g\r\n',
    ' 1\r\na',
    '1\na',
    '1\r\nab\r\n',
    '-1\r\n',
    '0x1\r\n',
    `${'f'.repeat(13)}\r\n`,
    '1;\0\r\na',
    '+1\r\na',
    '1_0\r\na',
    '1\ra\r\n',
    '1;\rx\r\na',
    '1\r\na\n0\r\n\r\n',
    '1\r\na\r0\r\n\r\n',
    ';x\r\na',
    '\r\n0\r\n\r\n',
    '1 1\r\na',
    '1\x0b\r\na',
    '１\r\na',
    '0\r\nX: y\n\r\n',
  ])('chunks %j are refused', (text) =>
    expect(readIn(100, { kind: 'chunked' }, Buffer.from(text))).toHaveProperty('bad'),
  );

  test('endless lines and trailers are refused', () => {
    expect(readIn(100, { kind: 'chunked' }, Buffer.from('1'.repeat(2_000)))).toHaveProperty('bad');
    expect(readIn(100, { kind: 'chunked' }, Buffer.from(`0\r\n${'a: b\r\n'.repeat(4_000)}`))).toHaveProperty('bad');
  });
});
