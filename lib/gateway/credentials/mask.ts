/** Replaces forms of secrets in texts and streams, also where a chunk ends in the middle of one. Pure but for its own state. */
import type { Encoding } from './encodings.ts';

export interface Mask {
  /** In a whole text */
  replace(text: string): string;
  /**
   * `least`: so many characters must speak for a form before they are held back. With 1 nothing slips through; a stream in which somebody
   * waits for the last character needs more.
   */
  stream(least?: number): MaskedStream;
}

export interface MaskedStream {
  /** What may go on now: all but an end that could be the beginning of a form */
  take(text: string): string;
  /** What was held back */
  rest(): string;
}

/** Made once for many answers: it takes a third of a millisecond. */
export function createMask(encodings: readonly Encoding[]): Mask {
  if (encodings.length === 0)
    return { replace: (text) => text, stream: () => ({ take: (text) => text, rest: () => '' }) };
  const replace = replacer(encodings);
  const longest = Math.max(...encodings.map(({ text }) => text.length));
  return {
    replace,
    stream(least = 1) {
      let held = '';
      return {
        take(text) {
          const all = replace(held + text);
          const keep = openEnd(all.slice(1 - longest), encodings, least);
          held = keep === 0 ? '' : all.slice(-keep);
          return keep === 0 ? all : all.slice(0, -keep);
        },
        rest() {
          const last = held;
          held = '';
          return last;
        },
      };
    },
  };
}

function replacer(encodings: readonly Encoding[]): (text: string) => string {
  const shown = new Map(encodings.map((encoding) => [encoding.text, encoding.shown]));
  // Of two that begin alike the longer one is meant.
  const texts = [...shown.keys()].toSorted((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp(texts.join('|'), 'g');
  return (text) => text.replace(pattern, (found) => shown.get(found) ?? '');
}

/** Length of the longest end that begins a form. */
function openEnd(tail: string, encodings: readonly Encoding[], least: number): number {
  let most = 0;
  for (const encoding of encodings) {
    const first = encoding.text[0] ?? '';
    for (let at = tail.indexOf(first); at >= 0 && tail.length - at > most; at = tail.indexOf(first, at + 1)) {
      const end = tail.slice(at);
      if (end.length >= least && end.length < encoding.text.length && encoding.text.startsWith(end)) most = end.length;
    }
  }
  return most;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}
