/** Parses `WWW-Authenticate` headers. Pure. */

export interface Challenge {
  /** Lower case */
  scheme: string;
  /** By lower-case name */
  parameters: Record<string, string>;
}

const HEADER_MAX = 8_192;
const SCHEME = /^\s*([A-Za-z][A-Za-z0-9-]*)(?=\s|$)/;
const PARAMETER = /^[\s,]*([A-Za-z_][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/;

/** Several challenges may share one header; what cannot be parsed ends it. */
export function parseChallenges(header: string | string[] | undefined): Challenge[] {
  return [header ?? []].flat().flatMap((line) => parseLine(line.slice(0, HEADER_MAX)));
}

function parseLine(line: string): Challenge[] {
  const found: Challenge[] = [];
  let rest = line;
  for (;;) {
    const scheme = SCHEME.exec(rest.replace(/^[\s,]+/, ''));
    if (scheme === null) return found;
    rest = rest.replace(/^[\s,]+/, '').slice(scheme[0].length);
    const parameters: Record<string, string> = {};
    for (let next = PARAMETER.exec(rest); next !== null; next = PARAMETER.exec(rest)) {
      parameters[(next[1] ?? '').toLowerCase()] = next[2]?.replace(/\\(.)/g, '$1') ?? next[3] ?? '';
      rest = rest.slice(next[0].length);
    }
    found.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters });
  }
}
