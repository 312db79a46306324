/** Answers one DNS question with one answer. Pure; every length is checked before it is used. */
import { isName } from './names.ts';

const RCODE = { ok: 0, format: 1, missing: 3, notImplemented: 4, refused: 5 } as const;

const TYPE_A = 1;
const CLASS_IN = 1;
const HEADER_BYTES = 12;

/** Short, since a cached address could outlive its entry in the table of names; asking again is cheap */
const TTL_SECONDS = 1;

interface Question {
  /** Lower case, without the last dot */
  name: string;
  type: number;
  class: number;
  /** As it was sent, with its case: clients that randomize the case compare it */
  bytes: Buffer;
}

/** Undefined: no answer, since the packet is not a query. `addressOf`: an IPv4 address, or undefined for a name that does not exist. */
export function answerDns(packet: Buffer, addressOf: (name: string) => string | undefined): Buffer | undefined {
  if (packet.length < HEADER_BYTES || (packet.readUInt16BE(2) & 0x8000) !== 0) return undefined;
  const opcode = (packet.readUInt16BE(2) >> 11) & 0xf;
  if (opcode !== 0) return reply(packet, RCODE.notImplemented);
  const question = packet.readUInt16BE(4) === 1 ? readQuestion(packet) : undefined;
  if (question === undefined) return reply(packet, RCODE.format);
  if (question.class !== CLASS_IN) return reply(packet, RCODE.refused, question);
  const address = isName(question.name) ? addressOf(question.name) : undefined;
  if (address === undefined) return reply(packet, RCODE.missing, question);
  return reply(packet, RCODE.ok, question, question.type === TYPE_A ? address : undefined);
}

/** A question has no earlier name to point to: a compressed one is malformed, and so there is no loop to follow. */
function readQuestion(packet: Buffer): Question | undefined {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = packet[at];
    if (length === undefined || length > 63 || at - HEADER_BYTES + length > 254) return undefined;
    at += 1;
    if (length === 0) break;
    if (at + length > packet.length) return undefined;
    labels.push(packet.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > packet.length) return undefined;
  // A dot inside a label would split it into two.
  const name = labels.some((label) => label.includes('.')) ? '' : labels.join('.').toLowerCase();
  return {
    name,
    type: packet.readUInt16BE(at),
    class: packet.readUInt16BE(at + 2),
    bytes: packet.subarray(HEADER_BYTES, at + 4),
  };
}

function reply(packet: Buffer, rcode: number, question?: Question, address?: string): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  packet.copy(head, 0, 0, 2);
  const asked = packet.readUInt16BE(2);
  // QR, opcode and RD as in the question, RA.
  head.writeUInt16BE(0x8000 | (asked & 0x7900) | 0x80 | rcode, 2);
  head.writeUInt16BE(question === undefined ? 0 : 1, 4);
  head.writeUInt16BE(address === undefined ? 0 : 1, 6);
  return Buffer.concat([
    head,
    question?.bytes ?? Buffer.alloc(0),
    address === undefined ? Buffer.alloc(0) : record(address),
  ]);
}

function record(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  // The owner is the question's name, which begins right after the header.
  bytes.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  bytes.writeUInt16BE(TYPE_A, 2);
  bytes.writeUInt16BE(CLASS_IN, 4);
  bytes.writeUInt32BE(TTL_SECONDS, 6);
  bytes.writeUInt16BE(4, 10);
  for (const [index, part] of address.split('.').entries()) bytes[12 + index] = Number(part);
  return bytes;
}
