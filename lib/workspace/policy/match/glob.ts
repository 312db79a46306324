/** Matches patterns as in .gitignore without regular expressions: linear time is a security property, since a project chooses the patterns. */

export type Matcher = (path: string, isFolder: boolean) => boolean;

/** `any` matches none, one or many of them */
type Token = 'any' | ((character: string) => boolean);
type Segment = 'any' | Token[];

/** Without a slash inside: at any depth. `**`: any number of folders. A slash at the end: folders only. */
export function compileGlob(glob: string): Matcher {
  const foldersOnly = glob.endsWith('/');
  const clean = glob.replace(/\/+$/, '');
  const anchored = clean.includes('/');
  const names = clean.split('/').filter((name) => name !== '' && name !== '.');
  const segments: Segment[] = names.map((name) => (name === '**' ? 'any' : tokensOf(name)));
  // `a/**` means what is in the folder, not the folder.
  if (segments.at(-1) === 'any') segments.push(['any']);
  const isKind = (isFolder: boolean) => isFolder || !foldersOnly;
  if (anchored)
    return (path, isFolder) =>
      isKind(isFolder) && matches(segments, path.split('/'), (tokens, name) => isName(tokens, name));
  // Most patterns, run on every file of the workspace: the last name decides.
  const tokens = segments[0] === 'any' ? ['any' as const] : (segments[0] ?? []);
  const literal = isExact(clean) ? clean : undefined;
  return (path, isFolder) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return isKind(isFolder) && (literal === undefined ? isName(tokens, name) : name === literal);
  };
}

function isName(tokens: Token[], name: string): boolean {
  return matches(tokens, [...name], (test, one) => test(one));
}

/** True when a pattern names one path and nothing else. */
export function isExact(glob: string): boolean {
  return !/[*?[\\]/.test(glob);
}

/** Greedy with one step back: at most the product of both lengths. */
function matches<P, I>(pattern: ('any' | P)[], items: I[], test: (one: P, item: I) => boolean): boolean {
  let at = 0;
  let restart: { pattern: number; item: number } | undefined;
  for (let item = 0; item < items.length; ) {
    const one = pattern[at];
    if (one === 'any') {
      restart = { pattern: at + 1, item };
      at += 1;
    } else if (one !== undefined && test(one, items[item] as I)) {
      at += 1;
      item += 1;
    } else if (restart !== undefined) {
      restart.item += 1;
      at = restart.pattern;
      item = restart.item;
    } else return false;
  }
  return pattern.slice(at).every((one) => one === 'any');
}

function tokensOf(name: string): Token[] {
  const tokens: Token[] = [];
  const characters = [...name];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] as string;
    if (character === '*') {
      if (tokens.at(-1) !== 'any') tokens.push('any');
    } else if (character === '?') tokens.push(() => true);
    else if (character === '[' && classEnd(characters, at) !== undefined) {
      const end = classEnd(characters, at) as number;
      tokens.push(classOf(characters.slice(at + 1, end)));
      at = end;
    } else {
      if (character === '\\' && at + 1 < characters.length) at += 1;
      const literal = characters[at];
      tokens.push((one) => one === literal);
    }
  }
  return tokens;
}

/** A `]` right after the opening belongs to the class. */
function classEnd(characters: string[], from: number): number | undefined {
  const first = from + (/[!^]/.test(characters[from + 1] ?? '') ? 3 : 2);
  const end = characters.indexOf(']', first);
  return end === -1 ? undefined : end;
}

function classOf(body: string[]): Token {
  const negated = body[0] === '!' || body[0] === '^';
  const members = negated ? body.slice(1) : body;
  const ranges: [from: string, to: string][] = [];
  for (let at = 0; at < members.length; at += 1) {
    const from = members[at] as string;
    const to = members[at + 1] === '-' ? members[at + 2] : undefined;
    ranges.push([from, to ?? from]);
    if (to !== undefined) at += 2;
  }
  return (one) => ranges.some(([from, to]) => from <= one && one <= to) !== negated;
}
