/** Masks secrets in texts and streams, also across chunk boundaries. Pure but for its own state. */
import type { Encoding } from './encodings.ts';
import { escapeAt, type Match, matchEncoding } from './match-encoding.ts';

export interface Mask {
  /** Masks a whole text */
  replace(text: string): string;
  /** Whether a secret occurs in a text whose letters may have lost their case */
  occursIn(text: string): boolean;
  /**
   * `least`: characters that must match before they are held back. With 1 no part of a secret passes; an interactive stream, whose reader
   * waits for the last character, needs more.
   */
  stream(least?: number): MaskedStream;
}

export interface MaskedStream {
  /** Returns the text to forward: all but a trailing partial match */
  push(text: string): string;
  /** Returns the text held back */
  rest(): string;
}

/** Reuse it for many responses. */
export function createMask(encodings: readonly Encoding[]): Mask {
  const scan = scanner(encodings);
  const folded = scanner(encodings.map((one) => ({ ...one, text: one.text.toLowerCase() })));
  return {
    replace: (text) => scan(text, 'final').out,
    occursIn: (text) => folded(text.toLowerCase(), 'final').found,
    stream(least = 1) {
      let held = '';
      const pass = (scanned: Scanned) => {
        held = scanned.held;
        return scanned.out;
      };
      return { push: (text) => pass(scan(held + text, least)), rest: () => pass(scan(held, 'final')) };
    },
  };
}

interface Scanned {
  /** Masked */
  out: string;
  /** May begin a secret */
  held: string;
  found: boolean;
}

/** `final`: nothing is held; otherwise the least number of characters for which it is. */
type Scan = (text: string, least: number | 'final') => Scanned;

function scanner(encodings: readonly Encoding[]): Scan {
  if (encodings.length === 0) return (text) => ({ out: text, held: '', found: false });
  const byFirst = new Map<string, Encoding[]>();
  for (const one of encodings) byFirst.set(one.text.charAt(0), [...(byFirst.get(one.text.charAt(0)) ?? []), one]);
  const starts = new RegExp(startsOf(byFirst), 'g');
  return (text, least) => {
    let out = '';
    let from = 0;
    starts.lastIndex = 0;
    for (let start = starts.exec(text); start !== null; start = starts.exec(text)) {
      const at = start.index;
      const match = matchAt(text, at, { byFirst, final: least === 'final' });
      if (match?.kind === 'whole') {
        out += text.slice(from, at) + match.shown;
        from = match.end;
        starts.lastIndex = from;
      } else if (match?.kind === 'open' && (least === 1 || match.matched >= Number(least)))
        return { out: out + text.slice(from, at), held: text.slice(at), found: from > 0 };
      else starts.lastIndex = at + 1;
    }
    return { out: out + text.slice(from), held: '', found: from > 0 };
  };
}

/** The first two characters of an encoding, or an escape: cheap to search for in a large text. */
function startsOf(byFirst: ReadonlyMap<string, Encoding[]>): string {
  const plain = [...byFirst].map(([first, all]) => {
    const seconds = [...new Set(all.map(({ text }) => inClass(text.charAt(1))))].join('');
    return `[${inClass(first)}](?:[${seconds}%\\\\&+\\s]|$)`;
  });
  return [...plain, '[%\\\\&]'].join('|');
}

function inClass(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

interface Place {
  byFirst: ReadonlyMap<string, Encoding[]>;
  final: boolean;
}

/** Of several the longest; one that is still open might become longer. */
function matchAt(text: string, at: number, { byFirst, final }: Place): Match | undefined {
  const read = escapeAt(text, at);
  if (read === 'open' && !final) return { kind: 'open', matched: 0 };
  const firsts = new Set([text.charAt(at), ...(typeof read === 'object' ? [read.char] : [])]);
  const matches = [...firsts]
    .flatMap((first) => byFirst.get(first) ?? [])
    .map((encoding) => matchEncoding(text, at, { encoding, final }));
  const open = matches.filter((match) => match?.kind === 'open').toSorted((a, b) => b.matched - a.matched);
  return open[0] ?? matches.filter((match) => match?.kind === 'whole').toSorted((a, b) => b.end - a.end)[0];
}
