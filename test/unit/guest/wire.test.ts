import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decoder, encode, type Frame, hello, resyncPadding, TYPE } from '../../../lib/guest/wire.ts';

const frame = fc.record({
  type: fc.integer({ min: TYPE.open, max: TYPE.reset }),
  stream: fc.nat(0xffffffff),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

function decodeInPieces(decoder: Decoder, bytes: Buffer, cuts: number[]): Frame[] {
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return edges
    .slice(1)
    .flatMap((edge, index) =>
      decoder.push(bytes.subarray(edges[index], edge)).map((one) => ({ ...one, payload: Buffer.from(one.payload) })),
    );
}

describe('frames', () => {
  test('come out as they went in, wherever the pipe cuts them', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 20 }), (frames, cuts) => {
        const nonce = Buffer.alloc(16, 1);
        const bytes = Buffer.concat([hello(nonce), ...frames.map((one) => encode(one.type, one.stream, one.payload))]);
        expect(decodeInPieces(new Decoder(), bytes, cuts)).toEqual([
          { type: TYPE.hello, stream: 0, payload: nonce },
          ...frames,
        ]);
      }),
    );
  });

  test('a session that died anywhere in a frame does not disturb the next one', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.array(fc.nat(), { maxLength: 10 }),
        (frames, cut, cuts) => {
          const before = Buffer.concat([
            hello(Buffer.alloc(16, 1)),
            ...frames.map((one) => encode(one.type, one.stream, one.payload)),
          ]);
          const died = before.subarray(0, cut % (before.length + 1));
          const nonce = Buffer.alloc(16, 2);
          const next = encode(TYPE.open, 7, Buffer.from('{}'));
          const all = decodeInPieces(new Decoder(), Buffer.concat([died, resyncPadding(), hello(nonce), next]), cuts);
          const at = all.findLastIndex(({ type, payload }) => type === TYPE.hello && payload.equals(nonce));
          expect(at).toBeGreaterThanOrEqual(0);
          expect(all.slice(at + 1)).toEqual([{ type: TYPE.open, stream: 7, payload: Buffer.from('{}') }]);
        },
      ),
    );
  });
});
