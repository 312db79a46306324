/** Masks secrets in texts and streams, also across chunk boundaries. Pure but for its own state. */
import type { Encoding } from './encodings.ts';

export interface Mask {
  /** Masks a whole text */
  replace(text: string): string;
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

/** Reuse it for many responses: creating one takes a third of a millisecond. */
export function createMask(encodings: readonly Encoding[]): Mask {
  if (encodings.length === 0)
    return { replace: (text) => text, stream: () => ({ push: (text) => text, rest: () => '' }) };
  const replace = replacer(encodings);
  const longest = Math.max(...encodings.map(({ text }) => text.length));
  return {
    replace,
    stream(least = 1) {
      let held = '';
      return {
        push(text) {
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
  // Of two encodings with the same start the longer one must match first.
  const texts = [...shown.keys()].toSorted((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp(texts.join('|'), 'g');
  return (text) => text.replace(pattern, (found) => shown.get(found) ?? '');
}

/** Length of the longest suffix that is a proper prefix of an encoding. */
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
