import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerDns } from '../../../../../lib/guest/agent/net/dns-message.ts';

const ADDRESS = '198.18.1.2';
const addressOf = (name: string) => (name === 'missing.test' ? undefined : ADDRESS);

function question(name: string, { type = 1, qclass = 1, id = 0x1234, flags = 0x0100, count = 1 } = {}): Buffer {
  const labels = name === '' ? [] : name.split('.');
  const encoded = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(count, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(type, 0);
  tail.writeUInt16BE(qclass, 2);
  return Buffer.concat([head, ...encoded, Buffer.from([0]), tail]);
}

const rcode = (answer: Buffer | undefined) => (answer === undefined ? undefined : answer.readUInt16BE(2) & 0xf);
const answers = (answer: Buffer | undefined) => answer?.readUInt16BE(6);

describe('an answer', () => {
  test('to A holds one address, with the identifier and the question as they were asked', () => {
    const asked = question('API.Ok.test');
    const answer = answerDns(asked, addressOf) ?? Buffer.alloc(0);
    expect(answer.readUInt16BE(0)).toBe(0x1234);
    expect(answer.readUInt16BE(2)).toBe(0x8180);
    expect(answer.subarray(12, asked.length)).toEqual(asked.subarray(12));
    expect([...answer.subarray(-4)]).toEqual([198, 18, 1, 2]);
    expect(answer.readUInt16BE(asked.length)).toBe(0xc00c);
  });

  test.each([
    ['AAAA', 28],
    ['MX', 15],
    ['HTTPS', 65],
    ['ANY', 255],
  ])('to %s is empty, and no error', (_name, type) => {
    const answer = answerDns(question('api.ok.test', { type }), addressOf);
    expect([rcode(answer), answers(answer)]).toEqual([0, 0]);
  });

  test.each([
    ['a name without an address', question('missing.test'), 3],
    ['the root', question(''), 3],
    ['a name that no request could name', question('a b.test'), 3],
    [
      'a dot inside a label',
      Buffer.concat([question('').subarray(0, 12), Buffer.from('\x03a.b\x04test\x00\x00\x01\x00\x01', 'latin1')]),
      3,
    ],
    ['another class', question('api.ok.test', { qclass: 3 }), 5],
    ['an update', question('api.ok.test', { flags: 5 << 11 }), 4],
    ['two questions', question('api.ok.test', { count: 2 }), 1],
    ['none', question('api.ok.test', { count: 0 }), 1],
    [
      'a name that points to itself',
      Buffer.concat([question('').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
      1,
    ],
    ['a cut label', question('api.ok.test').subarray(0, 15), 1],
    ['a cut type', question('api.ok.test').subarray(0, -1), 1],
    ['a name of more than 255 bytes', question(Array(5).fill('a'.repeat(60)).join('.')), 1],
  ])('to %s is an error', (_name, packet, code) => {
    const answer = answerDns(packet, addressOf);
    expect([rcode(answer), answers(answer)]).toEqual([code, 0]);
  });

  test.each([
    ['an answer', question('api.ok.test', { flags: 0x8180 })],
    ['less than a header', Buffer.alloc(11)],
    ['nothing', Buffer.alloc(0)],
  ])('to %s is none', (_name, packet) => expect(answerDns(packet, addressOf)).toBeUndefined());

  test('to arbitrary bytes is absent, or well formed and short', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const answer = answerDns(Buffer.from(bytes), addressOf);
        if (answer === undefined) return;
        expect(answer.length).toBeLessThanOrEqual(bytes.length + 16);
        expect(answer.readUInt16BE(2) & 0x8000).toBe(0x8000);
        expect(answer.subarray(0, 2)).toEqual(Buffer.from(bytes.slice(0, 2)));
      }),
      { numRuns: 2_000 },
    );
  });
});
