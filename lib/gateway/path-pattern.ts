/** Paths of rules: matched on exactly the bytes that were sent. Pure. */

export interface PathPattern {
  text: string;
  parts: Part[];
}

type Part = { kind: 'text'; text: string } | { kind: 'segment' } | { kind: 'any' };

/** `*`: anything within one segment, `**`: anything at all; every other character is itself. */
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

/** `path` without its query. Time grows with the length of the path times that of the pattern, whatever they are. */
export function coversPath({ parts }: PathPattern, path: string): boolean {
  // Every place in the path that the parts so far can end at.
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

/** What servers take in more than one way, so that no rule could speak of it: why, or undefined. */
export function ambiguityOf(path: string): string | undefined {
  if (path.includes('\\')) return 'a backslash in the path';
  if (path.includes('//')) return 'an empty segment in the path';
  if (path.includes(';')) return 'a semicolon in the path';
  if (/(^|\/)\.\.?(\/|$)/.test(path)) return 'a dot segment in the path';
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return 'a malformed percent sign in the path';
  // Also encoded twice: some servers decode until nothing is left to decode.
  const encoded = /%(?:25)*(?:2e|2f|5c|3b|3f|23|[01][0-9a-f]|7f)/i.exec(path);
  return encoded === null ? undefined : `${encoded[0]} in the path`;
}
