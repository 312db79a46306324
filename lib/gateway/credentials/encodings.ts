/** Lists the encodings in which a response may repeat a secret, each with its mask. Pure. */

export interface Encoding {
  /** Latin-1; in the response each character may be escaped besides (see `escapeAt`) */
  text: string;
  /** Replacement of exactly the same length */
  shown: string;
  /** Lines may be broken anywhere in it */
  wrapped?: true;
}

/** Shorter strings match by chance */
const LEAST = 8;

/** `placeholder`: the mask where it has the same length, otherwise asterisks. */
export function encodingsOf(secret: string, placeholder: string | undefined): Encoding[] {
  const texts = variants(secret);
  const shown = placeholder === undefined ? [] : variants(placeholder);
  const encodings = texts.map((text, index): Encoding => {
    const other = shown[index];
    const wrapped = index === 0 ? {} : ({ wrapped: true } as const);
    return { text, shown: other?.length === text.length ? other : '*'.repeat(text.length), ...wrapped };
  });
  const known = new Set<string>();
  return encodings.filter(({ text }) => text.length >= LEAST && !known.has(text) && known.add(text));
}

/** A fixed list: plain, hex, and base64 at each of the three offsets. */
function variants(text: string): string[] {
  const bytes = Buffer.from(text, 'latin1');
  return [
    text,
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...[0, 1, 2].flatMap((offset) => {
      const core = base64Core(bytes, offset);
      return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
    }),
  ];
}

/** The base64 characters that depend on `bytes` only, after `offset` preceding bytes (mod 3). */
function base64Core(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const from = Math.ceil((offset * 8) / 6);
  const to = Math.floor(((offset + bytes.length) * 8) / 6);
  return encoded.slice(from, to);
}
