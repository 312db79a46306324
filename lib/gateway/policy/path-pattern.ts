/** Path patterns of rules, matched against the bytes as sent. Pure. */
import { isUtf8 } from 'node:buffer';

export interface PathPattern {
  text: string;
  parts: Part[];
}

type Part = { kind: 'text'; text: string } | { kind: 'segment' } | { kind: 'any' };

/** `*`: anything within one segment, `**`: anything; every other character is literal. */
export function parsePathPattern(text: string): PathPattern {
  const parts = text
    .split(/(\*\*+|\*)/)
    .filter((part) => part !== '')
    .map((part): Part => {
      if (part === '*') return { kind: 'segment' };
      return part.startsWith('**') ? { kind: 'any' } : { kind: 'text', text: part };
    });
  return { text, parts };
}

/** `path`: without the query. Runs in O(path length × pattern length). */
export function coversPath({ parts }: PathPattern, path: string): boolean {
  // Every position in the path where the parts so far can end.
  let ends = new Uint8Array(path.length + 1);
  ends[0] = 1;
  for (const part of parts) ends = advance(ends, part, path);
  return ends[path.length] === 1;
}

function advance(from: Uint8Array<ArrayBuffer>, part: Part, path: string): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array(path.length + 1);
  if (part.kind === 'text') {
    for (let at = from.indexOf(1); at >= 0; at = from.indexOf(1, at + 1))
      if (path.startsWith(part.text, at)) to[at + part.text.length] = 1;
    return to;
  }
  let reaching = false;
  for (let at = 0; at <= path.length; at += 1) {
    if (part.kind === 'segment' && at > 0 && path[at - 1] === '/') reaching = false;
    reaching ||= from[at] === 1;
    if (reaching) to[at] = 1;
  }
  return to;
}

/** Some servers decode repeatedly; no honest path needs more rounds */
const ROUNDS_MAX = 4;
/** In bytes, without the query. Servers accept little more, and matching a long path is slow */
const PATH_MAX = 4_096;

/** Why servers may read the path in more than one way; undefined: they cannot. `path`: visible ASCII. */
export function ambiguityOf(path: string): string | undefined {
  if (path.length > PATH_MAX) return 'more than 4 KiB of path';
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return 'a malformed percent sign in the path';
  let text = path;
  for (let round = 0; round <= ROUNDS_MAX; round += 1) {
    const unclear = unclearIn(text);
    if (unclear !== undefined) return unclear;
    if (!ENCODED.test(text)) return undefined;
    const decoded = decodedOnce(text);
    if (decoded === undefined) return 'percent-encoding in the path that is not UTF-8';
    text = decoded;
  }
  return 'a path that is percent-encoded repeatedly';
}

const ENCODED = /%[0-9a-fA-F]{2}/;

function unclearIn(text: string): string | undefined {
  if (text.includes('\\')) return 'a backslash in the path';
  if (text.includes('//')) return 'an empty segment in the path';
  if (text.includes(';')) return 'a semicolon in the path';
  // Some file systems ignore trailing spaces.
  if (text.split('/').some((segment) => /^\.\.?$/.test(segment.trim()))) return 'a dot segment in the path';
  const encoded = /%(?:2e|2f|5c|3b|3f|23|[01][0-9a-f]|7f)/i.exec(text);
  if (encoded !== null) return `${encoded[0]} in the path`;
  // Servers that apply NFKC read a full-width dot or slash as a plain one.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches everything but ASCII on purpose
  const foreign = text.replace(/[\x00-\x7f]/g, '');
  return /[./\\;?#%]/.test(foreign.normalize('NFKC'))
    ? 'a character in the path that may be read as another'
    : undefined;
}

/** Undefined: not UTF-8, such as an overlong dot. */
function decodedOnce(text: string): string | undefined {
  const bytes = Buffer.from(text)
    .toString('latin1')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const decoded = Buffer.from(bytes, 'latin1');
  return isUtf8(decoded) ? decoded.toString() : undefined;
}
