import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHelloReader, type Hello } from '../../../../lib/gateway/tls/client-hello.ts';
import { helloBytes, serverName } from './hello-bytes.ts';

const read = (bytes: Buffer): Hello => createHelloReader().read(bytes);

describe('a ClientHello', () => {
  test('of a real TLS library', async () => {
    expect(read(await realHello({ servername: 'api.ok.test' }))).toEqual({ sni: 'api.ok.test' });
    expect(read(await realHello({ servername: 'a.test', maxVersion: 'TLSv1.2' }))).toEqual({ sni: 'a.test' });
    expect(read(await realHello({}))).toEqual({ sni: undefined });
  });

  test('is the same in any segments and in up to 64 records', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 200 }), fc.integer({ min: 1, max: 50 }), (recordSize, step) => {
        const bytes = helloBytes({ sni: 'api.ok.test', recordSize, padding: 20 });
        const reader = createHelloReader();
        let hello: Hello = 'more';
        for (let size = 0; hello === 'more' && size < bytes.length; ) {
          size = Math.min(bytes.length, size + step);
          hello = reader.read(bytes.subarray(0, size));
        }
        expect(hello).toEqual({ sni: 'api.ok.test' });
      }),
    );
  });

  test.each([
    ['an SSH banner', Buffer.from('SSH-2.0-x\r\n'), 'not TLS'],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 0, 2]), 'not TLS'],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'empty'],
    ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'not a ClientHello'],
    ['records of one byte', helloBytes({ sni: 'a.test', padding: 9, recordSize: 1 }), 'too many records'],
    ['more than 64 KiB', helloBytes({ sni: 'a.test', padding: 65_500 }), 'larger'],
    ['two server names', twoNames(), 'two server names'],
  ])('%s is refused', (_name, bytes, why) => {
    const hello = read(bytes);
    expect(typeof hello === 'object' && 'bad' in hello ? hello.bad : hello).toContain(why);
  });

  test('with any byte changed or any part cut off never throws, and never takes long', () => {
    const bytes = helloBytes({ sni: 'api.ok.test', padding: 40, recordSize: 60 });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, byte, length) => {
        const changed = Buffer.from(bytes.subarray(0, length));
        if (at < changed.length) changed[at] = byte;
        expect(() => read(changed)).not.toThrow();
      }),
      { numRuns: 3_000 },
    );
  });
});

function twoNames(): Buffer {
  const one = helloBytes({ sni: 'a.test' });
  const two = Buffer.concat([one, serverName('evil.test')]);
  const added = two.length - one.length;
  two.writeUInt16BE(two.readUInt16BE(3) + added, 3);
  two.writeUInt16BE(two.readUInt16BE(7) + added, 7);
  const extensions = 5 + 4 + 34 + 1 + 4 + 2;
  two.writeUInt16BE(two.readUInt16BE(extensions) + added, extensions);
  return two;
}

function realHello(options: { servername?: string; maxVersion?: 'TLSv1.2' }): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
        setImmediate(() => tls.destroy());
      },
    });
    const tls = connect({ socket: wire, ...options });
    tls.on('error', () => {});
  });
}
