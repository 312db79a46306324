import { expect, test } from 'vitest';
import { DISCARD, Mux } from '../../../../lib/guest/protocol/mux.ts';
import {
  Decoder,
  encode,
  encodeData,
  encodeJson,
  type Frame,
  hello,
  TYPE,
  WINDOW,
} from '../../../../lib/guest/protocol/wire.ts';

const CHANNEL = 1;
const PIECE = WINDOW / 16;

/** One side, with one stream that the other opened; what it sends, and what the stream has heard and not taken. */
function side() {
  const decoder = new Decoder();
  const sent: Frame[] = [];
  const taken: (() => void)[] = [];
  const pipe = { write: async (frame: Buffer) => void sent.push(...decoder.push(frame)) };
  decoder.push(hello(Buffer.alloc(16)));
  const mux = new Mux(pipe, () => ({ ...DISCARD, onData: (_channel, _data, done) => void taken.push(done) }));
  const take = (bytes: Buffer) => {
    const arrived = new Decoder();
    arrived.push(hello(Buffer.alloc(16)));
    for (const frame of arrived.push(bytes)) mux.receive(frame);
  };
  take(encodeJson(TYPE.open, 7, { service: 'x', body: {} }));
  return { sent, taken, data: (bytes: number) => take(encodeData(7, CHANNEL, Buffer.alloc(bytes))) };
}

const grants = (sent: Frame[]) =>
  sent.filter(({ type }) => type === TYPE.window).map(({ payload }) => payload.readUInt32BE(1));

test('consumed bytes are granted again in larger units, and all of them in the end', () => {
  const { sent, taken, data } = side();
  for (let round = 0; round < 64; round += 1) {
    data(PIECE);
    taken.pop()?.();
  }
  expect(grants(sent).every((bytes) => bytes > PIECE)).toBe(true);
  expect(grants(sent).reduce((sum, bytes) => sum + bytes, 0)).toBe(64 * PIECE);
});

test('a sender may fill the window while nothing is consumed, and not a byte more', () => {
  const { sent, data } = side();
  for (let round = 0; round < 16; round += 1) data(PIECE);
  expect(grants(sent)).toEqual([]);
  expect(() => data(1)).toThrow('data without credit');
});

test('bytes that are consumed but not granted yet give no credit', () => {
  const { sent, taken, data } = side();
  data(PIECE);
  taken.pop()?.();
  expect(grants(sent)).toEqual([]);
  for (let round = 0; round < 15; round += 1) data(PIECE);
  expect(() => data(1)).toThrow('data without credit');
});

test('a sender waits for credit and continues with it', async () => {
  const sent: Frame[] = [];
  const decoder = new Decoder();
  decoder.push(hello(Buffer.alloc(16)));
  const mux = new Mux({ write: async (frame) => void sent.push(...decoder.push(frame)) }, () => DISCARD);
  const stream = mux.open('x', {}, DISCARD);
  const sending = stream.send(CHANNEL, Buffer.alloc(WINDOW + 5));
  await new Promise((resolve) => setImmediate(resolve));
  const bytes = () =>
    sent.filter(({ type }) => type === TYPE.data).reduce((sum, { payload }) => sum + payload.length - 1, 0);
  expect(bytes()).toBe(WINDOW);
  const grant = Buffer.alloc(5);
  grant[0] = CHANNEL;
  grant.writeUInt32BE(5, 1);
  const arrived = new Decoder();
  arrived.push(hello(Buffer.alloc(16)));
  for (const frame of arrived.push(encode(TYPE.window, stream.id, grant))) mux.receive(frame);
  await sending;
  expect(bytes()).toBe(WINDOW + 5);
});
