/** The forms in which an answer may repeat a secret, each with what is shown instead. Pure. */

export interface Encoding {
  /** Latin-1, as it stands in the answer */
  text: string;
  /** Exactly as long */
  shown: string;
}

/** Shorter parts of a secret are found everywhere by chance */
const LEAST = 8;

/** `placeholder`: shown where it is as long, stars otherwise. */
export function encodingsOf(secret: string, placeholder: string | undefined): Encoding[] {
  const texts = variants(secret);
  const shown = placeholder === undefined ? [] : variants(placeholder);
  const encodings = texts.map((text, index): Encoding => {
    const other = shown[index];
    return { text, shown: other?.length === text.length ? other : '*'.repeat(text.length) };
  });
  const known = new Set<string>();
  return encodings.filter(({ text }) => text.length >= LEAST && !known.has(text) && known.add(text));
}

/** Always as many, in one order: as it is, in JSON, in an address, in hex, in base64 wherever it may begin. */
function variants(text: string): string[] {
  const bytes = Buffer.from(text, 'latin1');
  const json = JSON.stringify(text).slice(1, -1);
  return [
    text,
    json,
    json.replaceAll('/', '\\/'),
    encodeURIComponent(text),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...[0, 1, 2].flatMap((offset) => {
      const core = base64Core(bytes, offset);
      return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
    }),
  ];
}

/** The characters that depend on nothing but `bytes`, when `offset` bytes (mod 3) stand before them. */
function base64Core(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const from = Math.ceil((offset * 8) / 6);
  const to = Math.floor(((offset + bytes.length) * 8) / 6);
  return encoded.slice(from, to);
}
