/** Replaces forms of secrets in texts and streams, also where a chunk ends in the middle of one. Pure but for its own state. */
import type { Form } from './encodings.ts';

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
export function createMask(forms: readonly Form[]): Mask {
  if (forms.length === 0) return { replace: (text) => text, stream: () => ({ take: (text) => text, rest: () => '' }) };
  const replace = replacer(forms);
  const longest = Math.max(...forms.map(({ text }) => text.length));
  return {
    replace,
    stream(least = 1) {
      let held = '';
      return {
        take(text) {
          const all = replace(held + text);
          const keep = openEnd(all.slice(1 - longest), forms, least);
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

function replacer(forms: readonly Form[]): (text: string) => string {
  const shown = new Map(forms.map((form) => [form.text, form.shown]));
  // Of two that begin alike the longer one is meant.
  const texts = [...shown.keys()].toSorted((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp(texts.join('|'), 'g');
  return (text) => text.replace(pattern, (found) => shown.get(found) ?? '');
}

/** Length of the longest end that begins a form. */
function openEnd(tail: string, forms: readonly Form[], least: number): number {
  let most = 0;
  for (const form of forms) {
    const first = form.text[0] ?? '';
    for (let at = tail.indexOf(first); at >= 0 && tail.length - at > most; at = tail.indexOf(first, at + 1)) {
      const end = tail.slice(at);
      if (end.length >= least && end.length < form.text.length && form.text.startsWith(end)) most = end.length;
    }
  }
  return most;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}
