/** Matches one encoding of a secret at a place of a text, each character plain or escaped. Pure. */
import type { Encoding } from './encodings.ts';

/** `open`: the text ends before it is decided, after `matched` characters of the encoding */
export type Match = { kind: 'whole'; end: number; shown: string } | { kind: 'open'; matched: number };

/** Blanks between two characters: a line break and an indentation */
const BLANKS_MAX = 64;

/** `final`: the text ends here, so nothing is open. */
export function matchEncoding(
  text: string,
  from: number,
  { encoding, final }: { encoding: Encoding; final: boolean },
): Match | undefined {
  const { text: wanted, wrapped = false } = encoding;
  // As it is first: a secret may hold what looks like an escape.
  if (text.startsWith(wanted, from)) return { kind: 'whole', end: from + wanted.length, shown: encoding.shown };
  const rest = text.length - from;
  if (!final && rest < wanted.length && wanted.startsWith(text.slice(from))) return { kind: 'open', matched: rest };
  let at = from;
  for (let matched = 0, blanks = 0; matched < wanted.length; ) {
    if (at >= text.length) return final ? undefined : { kind: 'open', matched };
    const char = text.charAt(at);
    const read = escapeAt(text, at);
    if (read === 'open' && !final) return { kind: 'open', matched };
    const unit = typeof read === 'object' ? read : undefined;
    const isEscaped = unit?.char === wanted[matched];
    if (isEscaped || isPlain(char, wanted[matched])) {
      at += isEscaped ? (unit?.length ?? 1) : 1;
      matched += 1;
      blanks = 0;
    } else {
      blanks += 1;
      const skips = wrapped && matched > 0 && isBlank(unit?.char ?? char) && blanks <= BLANKS_MAX;
      if (!skips) return undefined;
      at += unit?.length ?? 1;
    }
  }
  const raw = text.slice(from, at);
  return { kind: 'whole', end: at, shown: raw === wanted ? encoding.shown : '*'.repeat(raw.length) };
}

/** Forms write a space as `+`. */
function isPlain(char: string, wanted: string | undefined): boolean {
  return char === wanted || (char === '+' && wanted === ' ');
}

function isBlank(char: string): boolean {
  return char === '\n' || char === '\r' || char === ' ' || char === '\t';
}

interface Unit {
  char: string;
  /** Characters of the text that it takes */
  length: number;
}

/** Undefined: no escape begins here. `open`: the text ends within one. */
export function escapeAt(text: string, at: number): Unit | 'open' | undefined {
  const kind = KINDS[text[at] ?? ''];
  if (kind === undefined) return undefined;
  const start = text.slice(at, at + LONGEST);
  if (start.length < LONGEST && kind.open.test(start)) return 'open';
  const found = kind.whole.exec(start);
  if (found === null) return undefined;
  const { decimal, hex, name } = found.groups ?? {};
  const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
  const char = name === undefined ? String.fromCharCode(code) : kind.charOf(name);
  return char === undefined ? undefined : { char, length: found[0].length };
}

/** Of one escape, in characters */
const LONGEST = 12;

interface Kind {
  whole: RegExp;
  /** A beginning of it */
  open: RegExp;
  charOf(name: string): string | undefined;
}

/** JSON's and JavaScript's; before punctuation a backslash changes nothing */
const LETTERS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** HTML's names of the printable characters of ASCII, each behind its character */
const ENTITIES: Readonly<Record<string, string>> = Object.fromEntries(
  (
    '!excl "quot "QUOT #num $dollar %percnt &amp &AMP \'apos (lpar )rpar *ast *midast +plus ,comma .period /sol :colon ;semi <lt <LT ' +
    '=equals >gt >GT ?quest @commat [lsqb [lbrack \\bsol ]rsqb ]rbrack ^Hat _lowbar `grave {lcub {lbrace |verbar |vert }rcub }rbrace'
  )
    .split(' ')
    .map((pair): [string, string] => [pair.slice(1), pair.slice(0, 1)]),
);

const KINDS: Readonly<Record<string, Kind>> = {
  '%': { whole: /^%(?<hex>[\da-fA-F]{2})/, open: /^%[\da-fA-F]?$/, charOf: () => undefined },
  '\\': {
    whole: /^\\(?:(?:u00|x)(?<hex>[\da-fA-F]{2})|(?<name>[nrt]|[^\dA-Za-z]))/,
    open: /^\\(?:u(?:0(?:0[\da-fA-F]?)?)?|x[\da-fA-F]?)?$/,
    charOf: (name) => LETTERS[name] ?? name,
  },
  '&': {
    whole:
      /^&(?:#0{0,4}(?<decimal>[1-9]\d{0,2});?|#[xX]0{0,4}(?<hex>[1-9a-fA-F][\da-fA-F]?);?|(?<name>[a-zA-Z]{2,6});)/,
    open: /^&(?:#\d*|#[xX][\da-fA-F]*|[a-zA-Z]*)$/,
    charOf: (name) => ENTITIES[name],
  },
};
