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
/** A colour sequence, else one control character, invisible character or change of the writing direction */
const STEERING = new RegExp(`${ESCAPE}\\[[\\d;]*m|[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]`, 'gu');

export function printable(text: string, options: PrintableOptions = {}): string {
  return text.replaceAll(STEERING, (found) => {
    if (found === '\t' || (found === '\n' && options.oneLine !== true)) return found;
    if (found.length > 1 && options.colours === true) return found;
    return found.replace(/^./su, visible);
  });
}

export function inOneLine(text: string): string {
  return printable(text, { oneLine: true });
}

function visible(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
