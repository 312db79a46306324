/** Passes large payloads through a file that is a block device of the guest: its port carries a fraction of their speed. */
import { OUT_HEADER_SIZE, type Reply } from './fuse/encode.ts';
import { IN_HEADER_SIZE } from './fuse/frames.ts';
import { MAX_WRITE } from './fuse/limits.ts';
import { OPCODES } from './fuse/opcodes.ts';
import { fail } from './sys/errno.ts';
import { readAt, writeAt } from './sys/files.ts';

/** `slots` places of `slotBytes` each. The guest can read and write all of it at any time. */
export interface MailboxFile {
  fd: number;
  slots: number;
  slotBytes: number;
}

const WRITE_HEADERS = IN_HEADER_SIZE + 40;
const SIZE_AT = IN_HEADER_SIZE + 16;

/** Where the kernel leaves 0 in READ and WRITE, the relay (lib/guest/workspace/mailbox.pl) names a slot, from 1 on */
const SLOT_AT = 36;

/** Says that the data of a reply is in the slot of its request */
const BOXED = 0x8000_0000;
const OFFER = 0x786f_626d;

/** Smaller replies are not worth the guest's second trip */
const BOXED_MIN = 16 * 1024;

export class Mailbox {
  readonly #file: MailboxFile;
  /** Room for one request, used until the next one */
  readonly #request = Buffer.allocUnsafeSlow(WRITE_HEADERS + MAX_WRITE);

  constructor(file: MailboxFile) {
    this.#file = file;
  }

  /** The message by which the relay learns that there is a mailbox */
  static offer(): Buffer {
    const message = Buffer.alloc(OUT_HEADER_SIZE);
    message.writeUInt32LE(OUT_HEADER_SIZE, 0);
    message.writeUInt32LE(OFFER, 4);
    return message;
  }

  /**
   * Reads the payload of a WRITE once, into memory that the guest cannot change afterwards.
   * @returns the whole frame, valid until the next call; @throws Errno EIO if the slot or the size cannot be
   */
  collect(opcode: number, frame: Buffer): Buffer {
    if (opcode !== OPCODES.WRITE || frame.length !== WRITE_HEADERS || frame.readUInt32LE(SLOT_AT) === 0) return frame;
    const at = this.#placeOf(frame) ?? fail('EIO');
    const size = frame.readUInt32LE(SIZE_AT);
    if (size > Math.min(this.#file.slotBytes, MAX_WRITE)) return fail('EIO');
    const whole = this.#request.subarray(0, WRITE_HEADERS + size);
    frame.copy(whole);
    if (readAt(this.#file.fd, whole.subarray(WRITE_HEADERS), at) !== size) return fail('EIO');
    return whole;
  }

  /** @returns a reply without its data if the request named a slot and that took the data */
  deliver({ opcode, slotAt }: { opcode: number; slotAt: number | undefined }, reply: Reply): Reply {
    const size = reply.length - OUT_HEADER_SIZE;
    if (opcode !== OPCODES.READ || slotAt === undefined || size < BOXED_MIN || size > this.#file.slotBytes)
      return reply;
    try {
      if (writeAt(this.#file.fd, reply.subarray(OUT_HEADER_SIZE), slotAt) !== size) return reply;
    } catch {
      // A full host: the port takes the data, too.
      return reply;
    }
    return reply.subarray(0, OUT_HEADER_SIZE);
  }

  /** Where the slot of a READ begins; undefined: it names none that there is */
  slotFor(opcode: number, frame: Buffer): number | undefined {
    return opcode === OPCODES.READ ? this.#placeOf(frame) : undefined;
  }

  /** Marks a sealed reply whose data `deliver` has taken away. @param size of the data */
  static mark(message: Buffer, size: number): Buffer {
    message.writeUInt32LE((BOXED | (OUT_HEADER_SIZE + size)) >>> 0, 0);
    return message;
  }

  #placeOf(frame: Buffer): number | undefined {
    const slot = frame.readUInt32LE(SLOT_AT) - 1;
    return slot >= 0 && slot < this.#file.slots ? slot * this.#file.slotBytes : undefined;
  }
}
