/** Makes and recognizes placeholders, which have the shape of their secret. Pure. */

/** First characters of a placeholder after its prefix, by alphabet, so that one search finds all of them */
const MARKS = {
  mixed: 'sbxplace',
  lower: 'sbxplace',
  upper: 'SBXPLACE',
  hex: '5bcafe5b',
  HEX: '5BCAFE5B',
  digits: '57295729',
};
const MARK = /sbxplace|SBXPLACE|5bcafe5b|5BCAFE5B|57295729/g;
/** Length of the mark and the random part that identifies a placeholder */
const CORE = 20;
/** Minimum length after the prefix */
const LEAST = 24;

type Alphabet = keyof typeof MARKS;

const LETTERS: Record<Alphabet, string> = {
  mixed: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  lower: 'abcdefghijklmnopqrstuvwxyz0123456789',
  upper: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  hex: '0123456789abcdef',
  HEX: '0123456789ABCDEF',
  digits: '0123456789',
};

/** Key prefixes that programs check. A prefix is public; no part of the secret itself is kept. */
const PREFIXES = [
  /^sk-(?:[a-z]{2,8}-)?(?:[a-z]{1,5}\d{1,2}-)?/,
  /^github_pat_/,
  /^gh[a-z]_/,
  /^glpat-/,
  /^AIza/,
  /^A[KS]IA/,
  /^ya29\./,
  /^xox[a-z]-/,
  /^[a-z]{2,4}[-_]/,
];

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TOKEN_PARTS = /^(eyJ[\w-]+\.[\w-]+\.)([\w-]{16,})$/;

/** `random`: returns that many bytes. Has the length of the secret unless that is too short to be unique. */
export function makePlaceholder(secret: string, random: (bytes: number) => Uint8Array): string {
  // Programs read the claims of a signed token. Without its signature the token is worthless.
  const [, claims, signature] = TOKEN_PARTS.exec(secret) ?? [];
  if (claims !== undefined && signature !== undefined) return `${claims}${fill('mixed', signature.length, random)}`;
  if (UUID.test(secret)) return uuidLike(secret, random);
  const prefix = secret.length < LEAST ? '' : (PREFIXES.map((one) => one.exec(secret)?.[0]).find(Boolean) ?? '');
  const rest = secret.slice(prefix.length);
  return `${prefix}${fill(alphabetOf(rest), rest.length, random)}`;
}

function fill(alphabet: Alphabet, length: number, random: (bytes: number) => Uint8Array): string {
  const letters = LETTERS[alphabet];
  const count = Math.max(LEAST, length) - MARKS[alphabet].length;
  return MARKS[alphabet] + [...random(count)].map((byte) => letters[byte % letters.length]).join('');
}

function uuidLike(secret: string, random: (bytes: number) => Uint8Array): string {
  const plain = fill(/[A-F]/.test(secret) ? 'HEX' : 'hex', 32, random);
  return [
    plain.slice(0, 8),
    plain.slice(8, 12),
    `4${plain.slice(13, 16)}`,
    `8${plain.slice(17, 20)}`,
    plain.slice(20),
  ].join('-');
}

function alphabetOf(text: string): Alphabet {
  if (/^\d+$/.test(text)) return 'digits';
  if (/^[0-9a-f]+$/.test(text)) return 'hex';
  if (/^[0-9A-F]+$/.test(text)) return 'HEX';
  if (!/[A-Z]/.test(text)) return 'lower';
  return /[a-z]/.test(text) ? 'mixed' : 'upper';
}

/** Undefined: not a placeholder of sbx. */
export function coreOf(placeholder: string): string | undefined {
  return coresIn(placeholder)[0];
}

/** The cores of all placeholders in `text`, whole or without their prefix. */
export function coresIn(text: string): string[] {
  return [...text.matchAll(MARK)]
    .map(({ index }) => text.slice(index, index + CORE))
    .filter(({ length }) => length === CORE);
}

/** A streaming search must keep one character less than this from each chunk. */
export const CORE_LENGTH = CORE;
