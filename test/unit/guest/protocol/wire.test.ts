import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Decoder,
  encode,
  encodeData,
  encodeJson,
  encodeWindow,
  type Frame,
  hello,
  json,
  MAGIC,
  MAX_PAYLOAD,
  resyncPadding,
  TYPE,
} from '../../../../lib/guest/protocol/wire.ts';

const NONCE = Buffer.from('0123456789abcdef');

const frame = fc.record({
  type: fc.integer({ min: TYPE.open, max: TYPE.reset }),
  stream: fc.integer({ min: 0, max: 0xffff_ffff }),
  payload: fc
    .oneof(
      { weight: 8, arbitrary: fc.uint8Array({ maxLength: 200 }) },
      { weight: 1, arbitrary: fc.integer({ min: MAX_PAYLOAD - 3, max: MAX_PAYLOAD }).map((n) => new Uint8Array(n)) },
      { weight: 1, arbitrary: fc.constant(MAGIC) },
    )
    .map((bytes) => Buffer.from(bytes)),
});
const frames = fc.array(frame, { maxLength: 8 });
const cuts = fc.array(fc.nat(), { maxLength: 40 });

function encodeAll(list: Frame[]): Buffer {
  return Buffer.concat(list.map(({ type, stream, payload }) => encode(type, stream, payload)));
}

/** Gives the bytes in pieces: `points` are taken modulo the length. */
function feed(decoder: Decoder, bytes: Buffer, points: number[]): Frame[] {
  const at = [...new Set([0, ...points.map((point) => point % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  );
  return at.slice(1).flatMap((end, index) => decoder.push(Buffer.from(bytes.subarray(at[index], end))));
}

function plain(list: Frame[]): { type: number; stream: number; payload: string }[] {
  return list.map(({ type, stream, payload }) => ({ type, stream, payload: payload.toString('base64') }));
}

const greeting: Frame = { type: TYPE.hello, stream: 0, payload: NONCE };

describe('cut points', () => {
  test('frames come out as they went in, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(frames, cuts, (list, points) => {
        const bytes = Buffer.concat([hello(NONCE), encodeAll(list)]);
        expect(plain(feed(new Decoder(), bytes, points))).toEqual(plain([greeting, ...list]));
      }),
    );
  });

  test('byte by byte', () => {
    const list = [
      { type: TYPE.open, stream: 1, payload: Buffer.from('{"service":"exec"}') },
      { type: TYPE.data, stream: 1, payload: Buffer.from([0, ...MAGIC]) },
    ];
    const decoder = new Decoder();
    const found = [...Buffer.concat([hello(NONCE), encodeAll(list)])].flatMap((byte) =>
      decoder.push(Buffer.from([byte])),
    );
    expect(plain(found)).toEqual(plain([greeting, ...list]));
  });

  test('frames kept by their reader do not change when more bytes come', () => {
    const decoder = new Decoder();
    const [, first] = decoder.push(Buffer.concat([hello(NONCE), encodeData(1, 0, Buffer.from('first'))]));
    decoder.push(encodeData(1, 0, Buffer.from('other')));
    expect(first?.payload.subarray(1).toString()).toBe('first');
  });
});

describe('getting in sync', () => {
  test('nothing is read before the magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), frames, cuts, (noise, list, points) => {
        fc.pre(Buffer.from(noise).indexOf(MAGIC) < 0);
        const bytes = Buffer.concat([Buffer.from(noise), hello(NONCE), encodeAll(list)]);
        expect(plain(feed(new Decoder(), bytes, points))).toEqual(plain([greeting, ...list]));
      }),
    );
  });

  test('a session that died in the middle of a frame does not harm the next one', () => {
    const nonce = Buffer.from('fedcba9876543210');
    fc.assert(
      fc.property(frames, frame, fc.nat(), frames, cuts, (before, half, at, after, points) => {
        const last = encodeAll([half]);
        const bytes = Buffer.concat([
          hello(NONCE),
          encodeAll(before),
          last.subarray(0, at % last.length),
          resyncPadding(),
          hello(nonce),
          encodeAll(after),
        ]);
        const found = plain(feed(new Decoder(), bytes, points));
        const next = plain([{ ...greeting, payload: nonce }, ...after]);
        expect(found.slice(0, before.length + 1)).toEqual(plain([greeting, ...before]));
        expect(found.slice(-next.length)).toEqual(next);
        // The half frame, filled up, is the only one that may stand between.
        expect(found.length - next.length - before.length - 1).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('a session that died in its greeting does not harm the next one', () => {
    const greetingBytes = hello(NONCE);
    for (let at = 0; at < greetingBytes.length; at += 1) {
      const found = new Decoder().push(
        Buffer.concat([greetingBytes.subarray(0, at), resyncPadding(), hello(NONCE), encode(TYPE.end, 7)]),
      );
      expect(plain(found.slice(-2))).toEqual(
        plain([greeting, { type: TYPE.end, stream: 7, payload: Buffer.alloc(0) }]),
      );
    }
  });

  test('an invalid header is skipped without waiting', () => {
    const decoder = new Decoder();
    decoder.push(hello(NONCE));
    expect(decoder.push(encode(99, 1, Buffer.from('x')))).toEqual([]);
    expect(decoder.push(Buffer.from('\xff\xff\xff\xff\x03\0\0\0\x01', 'latin1'))).toEqual([]);
    expect(decoder.push(encodeData(1, 0, Buffer.from('lost')))).toEqual([]);
    expect(plain(decoder.push(hello(NONCE)))).toEqual(plain([greeting]));
  });
});

describe('encoders', () => {
  test('each encodes the same bytes as the plain form', () => {
    expect(encodeData(9, 2, Buffer.from('abc'))).toEqual(encode(TYPE.data, 9, Buffer.from('\x02abc')));
    expect(encodeWindow(9, 1, 0x01020304)).toEqual(encode(TYPE.window, 9, Buffer.from([1, 1, 2, 3, 4])));
    const [, found] = new Decoder().push(
      Buffer.concat([hello(NONCE), encodeJson(TYPE.control, 3, { signal: 'SIGINT' })]),
    );
    expect(json(found?.payload ?? Buffer.alloc(0))).toEqual({ signal: 'SIGINT' });
  });
});
