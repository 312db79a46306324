import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DECODERS } from '../../../../lib/workspace/server/fuse/decode.ts';
import { DirectoryReply } from '../../../../lib/workspace/server/fuse/directory-reply.ts';
import { attributesReply, encodeError, sealReply } from '../../../../lib/workspace/server/fuse/encode.ts';
import { FrameReader, readHeader } from '../../../../lib/workspace/server/fuse/frames.ts';
import { encodeInit, negotiate } from '../../../../lib/workspace/server/fuse/init.ts';
import { encodeInvalidation } from '../../../../lib/workspace/server/fuse/notify.ts';
import { BodyReader } from '../../../../lib/workspace/server/fuse/reader.ts';
import { Errno } from '../../../../lib/workspace/server/sys/errno.ts';

function frameOf(size: number, fill = 0): Buffer {
  const frame = Buffer.alloc(size, fill);
  frame.writeUInt32LE(size, 0);
  return frame;
}

describe('FrameReader', () => {
  it('cuts any chunks into the same frames', () => {
    const sizes = fc.array(fc.integer({ min: 40, max: 3000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }), (lengths, cuts) => {
        const frames = lengths.map((length, index) => frameOf(length, index));
        const bytes = Buffer.concat(frames);
        const reader = new FrameReader();
        const found: Buffer[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const cut = cuts[turn % cuts.length] ?? 1;
          reader.push(bytes.subarray(at, at + cut));
          at += cut;
          for (let next = reader.next(); next !== undefined; next = reader.next()) found.push(Buffer.from(next));
        }
        expect(Buffer.concat(found).equals(bytes) && found.length === frames.length).toBe(true);
      }),
    );
  });

  it('does not copy a frame that lies in one chunk', () => {
    const reader = new FrameReader();
    const chunk = Buffer.concat([frameOf(40), frameOf(50)]);
    reader.push(chunk);
    expect([reader.next()?.buffer, reader.next()?.buffer]).toEqual([chunk.buffer, chunk.buffer]);
    expect(reader.next()).toBeUndefined();
  });

  it.each([0, 39, 1024 * 1024 + 4097, 0xffff_ffff])('refuses a length of %i', (length) => {
    const reader = new FrameReader();
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(length);
    reader.push(bytes);
    expect(() => reader.next()).toThrow('invalid frame length');
  });
});

describe('decoding', () => {
  it('throws an Errno or gives a result, for any bytes', () => {
    const decoders = Object.entries(DECODERS);
    fc.assert(
      fc.property(fc.constantFrom(...decoders), fc.uint8Array({ maxLength: 200 }), ([, decode], bytes) => {
        try {
          decode(new BodyReader(Buffer.from(bytes), 0));
        } catch (error) {
          expect(error).toBeInstanceOf(Errno);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('reads nothing before or behind the body', () => {
    const reader = new BodyReader(Buffer.from('secret\0name\0'), 7);
    expect(reader.name()).toBe('name');
    expect(() => reader.u32()).toThrow('EINVAL');
    expect(() => new BodyReader(Buffer.alloc(8), 0).bytes(0xffff_ffff)).toThrow('EINVAL');
  });

  it('takes numbers up to 2^53 and no more', () => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(2n ** 53n - 1n);
    expect(new BodyReader(bytes, 0).size()).toBe(2 ** 53 - 1);
    bytes.writeBigUInt64LE(2n ** 53n);
    expect(() => new BodyReader(bytes, 0).size()).toThrow('EFBIG');
    expect(new BodyReader(bytes, 0).position()).toBe(2 ** 53 - 1);
    expect(new BodyReader(bytes, 0).id()).toBeNaN();
    const frame = frameOf(40);
    frame.writeBigUInt64LE(2n ** 64n - 1n, 16);
    expect(readHeader(frame).node).toBeNaN();
  });

  it('reads exact times, and leaves the others', () => {
    const body = Buffer.alloc(88);
    body.writeUInt32LE((1 << 4) | (1 << 5) | (1 << 8));
    body.writeBigInt64LE(-3n, 32);
    body.writeUInt32LE(7, 56);
    expect(DECODERS.SETATTR(new BodyReader(body, 0))).toEqual({
      handle: undefined,
      size: undefined,
      endsPrivileges: false,
      mode: undefined,
      uid: undefined,
      gid: undefined,
      atime: { seconds: -3, nanoseconds: 7 },
      mtime: 'now',
    });
  });
});

describe('encoding', () => {
  it('negotiates what both sides know', () => {
    const theirs = { major: 7, minor: 38, maxReadahead: 131_072, flags: (1 << 0) | (1 << 16) | (1 << 22) };
    const agreed = negotiate(theirs);
    // Never WRITEBACK_CACHE: the host edits the same files.
    expect(agreed).toEqual({ minor: 31, maxReadahead: 131_072, flags: (1 << 0) | (1 << 22) });
    const reply = encodeInit(agreed === 'retry' ? undefined : agreed);
    expect([reply.length, reply.readUInt32LE(36), reply.readUInt16LE(44)]).toEqual([80, 1024 * 1024, 256]);
    expect(negotiate({ ...theirs, minor: 22 })).toBeUndefined();
    expect(negotiate({ ...theirs, major: 6 })).toBeUndefined();
    expect(negotiate({ ...theirs, major: 8 })).toBe('retry');
  });

  it('writes headers, errors and negative times', () => {
    const time = { seconds: -2, nanoseconds: 999_999_999 };
    const numbers = {
      size: 2 ** 40 + 1,
      blocks: 8,
      blockSize: 4096,
      mode: 0o100644,
      nlink: 1,
      uid: 1,
      gid: 2,
      rdev: 0,
    };
    const attributes = { ino: 2n ** 63n, ...numbers, atime: time, mtime: time, ctime: time };
    const reply = sealReply(attributesReply(attributes, 1.25), 77n);
    expect([reply.length, reply.readUInt32LE(0), reply.readBigUInt64LE(8)]).toEqual([120, 120, 77n]);
    expect([reply.readBigUInt64LE(16), reply.readUInt32LE(24)]).toEqual([1n, 250_000_000]);
    expect([reply.readBigUInt64LE(32), reply.readBigUInt64LE(40)]).toEqual([2n ** 63n, 2n ** 40n + 1n]);
    expect([reply.readBigInt64LE(56), reply.readUInt32LE(80)]).toEqual([-2n, 999_999_999]);
    expect(encodeError(5n, 2).readInt32LE(4)).toBe(-2);
  });

  it('aligns the entries of a folder and leaves no bytes of the server between them', () => {
    const reply = new DirectoryReply(64, false);
    expect(reply.isEmpty).toBe(true);
    reply.add({ ino: 5n, type: 8, name: 'a', offset: 1 }, undefined);
    expect(reply.hasRoom('123456789')).toBe(false);
    expect(reply.hasRoom('12345678')).toBe(true);
    const bytes = reply.finish().subarray(16);
    expect(bytes.toString('hex')).toBe('0500000000000000010000000000000001000000080000006100000000000000');
  });

  it('encodes notifications', () => {
    const inode = encodeInvalidation({ type: 'inode', node: 3, offset: -1, length: 0 });
    expect([inode.readInt32LE(4), inode.readBigUInt64LE(8), inode.readBigInt64LE(24)]).toEqual([2, 0n, -1n]);
    const entry = encodeInvalidation({ type: 'entry', parent: 3, name: '\xff' });
    expect([entry.readUInt32LE(0), entry.readUInt32LE(24), entry[32], entry[33]]).toEqual([34, 1, 0xff, 0]);
  });
});
