/**
 * Makes text from outside (a guest's console, its requests, a file that an agent can write) safe to show: control characters could hide lines
 * of an approval, or rename a window. Colours pass if requested. Pure.
 */
export interface PrintableOptions {
  /** Colour and weight (`ESC [ … m`) stay */
  colours?: boolean;
  /** Line feeds become visible too: for a value inside a line */
  oneLine?: boolean;
}

const ESCAPE = String.fromCharCode(27);
/** Letters, marks and symbols that show nothing: joiners, Hangul fillers, the empty Braille pattern, selectors of other blocks */
const BLANK = '\\u{34f}\\u{115f}\\u{1160}\\u{17b4}\\u{17b5}\\u{2800}\\u{3164}\\u{ffa0}\\u{e0100}-\\u{e01ef}';
/** A colour sequence, else one control character, invisible character or change of the writing direction */
const STEERING = new RegExp(`${ESCAPE}\\[[\\d;]*m|[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}${BLANK}]`, 'gu');

/** Weights and colours on the terminal's own background; others could hide text */
const SHOWING = new RegExp(`^${ESCAPE}\\[(?:(?:0?[0-47]|2[2-47]|[39][1-6]|39|90)?(?:;|(?=m)))*m$`);

export function printable(text: string, options: PrintableOptions = {}): string {
  return text.replaceAll(STEERING, (found) => {
    if (found === '\t' || (found === '\n' && options.oneLine !== true)) return found;
    if (SHOWING.test(found) && options.colours === true) return found;
    return found.replace(/^./su, visible);
  });
}

export function inOneLine(text: string): string {
  return printable(text, { oneLine: true });
}

function visible(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
