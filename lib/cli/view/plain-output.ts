/**
 * Turns terminal output into lines to read: cursor movements, titles and other control sequences are removed, colours stay, and of a line that
 * was overwritten the last text counts. Pure.
 */
import { StringDecoder } from 'node:string_decoder';

/** Longest line, in characters; longer ones are cut */
const LONGEST = 64 * 1024;

const ESC = '\\x1b';
const ORDERS = new RegExp(
  [
    // Strings: titles, the clipboard, graphics
    `${ESC}[\\]PX^_][^\\x07\\x1b]*(?:\\x07|${ESC}\\\\)`,
    // Sequences that begin with ESC [ and are not colours
    `${ESC}\\[(?![\\d;]*m)[0-?]*[ -/]*[@-~]`,
    `${ESC}[ -/]+[0-~]`,
    `${ESC}[0-Z\\\\^-~]`,
  ].join('|'),
  'g',
);

export interface PlainLines {
  push(data: Buffer): string[];
  /** Returns the rest without a line feed */
  end(): string[];
}

export function plainLines(): PlainLines {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return {
    push(data) {
      const lines = (rest + decoder.write(data)).split('\n');
      rest = lines.pop() ?? '';
      for (; rest.length > LONGEST; rest = rest.slice(LONGEST)) lines.push(rest.slice(0, LONGEST));
      return lines.map(plainLine);
    },
    end() {
      const last = rest + decoder.end();
      rest = '';
      return last === '' ? [] : [plainLine(last)];
    },
  };
}

function plainLine(text: string): string {
  const written = text.replace(ORDERS, '').split('\r');
  return written.findLast((part) => part !== '') ?? '';
}
