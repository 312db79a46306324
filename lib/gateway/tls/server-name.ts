/** Checks that a tunnel carries TLS to the requested host, before any byte is forwarded. */

import { canonicalHost } from '../address/canonical-host.ts';
import type { ByteReader } from '../http/byte-reader.ts';
import { createHelloReader, HELLO_PIECES, type Hello } from './client-hello.ts';

export type NameCheck =
  | { ok: true }
  /** `tls`: the client understands a TLS alert */
  | { ok: false; why: string; tls: boolean };

/** `required`: only TLS with exactly this name passes; otherwise also plain bytes and TLS without a name. */
export async function checkServerName(
  reader: ByteReader,
  { host, required, ms }: { host: string; required: boolean; ms: number },
): Promise<NameCheck> {
  const hello = await readHello(reader, ms);
  if (hello === 'more') return { ok: false, why: 'no ClientHello', tls: false };
  if ('bad' in hello)
    return !required && hello.bad === 'not TLS' ? { ok: true } : { ok: false, why: hello.bad, tls: false };
  if (hello.sni === undefined) return required ? { ok: false, why: 'no server name', tls: true } : { ok: true };
  return canonicalHost(hello.sni)?.host === host
    ? { ok: true }
    : { ok: false, why: `the server name is ${hello.sni}`, tls: true };
}

async function readHello(reader: ByteReader, ms: number): Promise<Hello> {
  const hello = createHelloReader();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    for (let pieces = 1; ; pieces += 1) {
      const found = hello.read(reader.buffered);
      if (found !== 'more') return found;
      if (pieces > HELLO_PIECES) return { bad: 'a ClientHello in too many pieces' };
      if (!(await Promise.race([reader.more(), late]))) return 'more';
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Fatal TLS alert `unrecognized_name`: the client fails at once with a clear error. */
export const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);
