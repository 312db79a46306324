/** Builds Java's own trust store (JKS, version 2) from certificates in PEM: Java does not read the system's bundle. Pure. */
import { createHash } from 'node:crypto';

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED = 2;
/** Java reads the store without a password; `keytool` needs the default one */
const PASSWORD = 'changeit';

/** A block that is not base64 is left out. */
export function keyStoreOf(pem: string): Buffer {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  const certificates = [...new Set(blocks)].map((block) =>
    Buffer.from(block.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64'),
  );
  const body = Buffer.concat([
    u32(MAGIC),
    u32(VERSION),
    u32(certificates.length),
    ...certificates.flatMap((der, index) => [
      u32(TRUSTED),
      utf(`sbx-${index}`),
      Buffer.alloc(8),
      utf('X.509'),
      u32(der.length),
      der,
    ]),
  ]);
  const seal = createHash('sha1')
    .update(Buffer.from(PASSWORD, 'utf16le').swap16())
    .update('Mighty Aphrodite')
    .update(body);
  return Buffer.concat([body, seal.digest()]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function utf(text: string): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(text.length);
  return Buffer.concat([size, Buffer.from(text, 'latin1')]);
}
