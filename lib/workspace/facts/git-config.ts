/** Reads git's configuration format, and lists what it makes git read or run. Pure. */

export interface ConfigEntry {
  /** Lower case but for a subsection: `core.fsmonitor`, `filter.LFS.clean` */
  key: string;
  value: string;
}

/** Git's own grammar, more lenient where it would fail: an entry after a damaged line still counts, which protects more. */
export function parseGitConfig(text: string): ConfigEntry[] {
  const entries: ConfigEntry[] = [];
  let section = '';
  for (const line of joinedLines(text)) {
    const header = /^\s*\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]/.exec(line);
    if (header !== null) section = sectionOf(header[1] ?? '', header[2]);
    const rest = header === null ? line : line.slice(header[0].length);
    const entry = /^\s*([A-Za-z][\w-]*)\s*(?:=(.*))?$/s.exec(rest);
    if (entry === null) continue;
    const value = entry[2] === undefined ? 'true' : unquoted(entry[2]);
    entries.push({ key: `${section}.${(entry[1] ?? '').toLowerCase()}`, value });
  }
  return entries;
}

/** `[a "B"]` keeps the case of B; `[a.B]`, the old form, does not. */
function sectionOf(name: string, subsection: string | undefined): string {
  const lower = name.toLowerCase();
  return subsection === undefined ? lower : `${lower}.${subsection.replace(/\\(.)/g, '$1')}`;
}

/** A line that ends in a backslash continues in the next one. */
function joinedLines(text: string): string[] {
  return text
    .replace(/^\ufeff/, '')
    .replace(/\r\n/g, '\n')
    .replace(/((?:^|[^\\])(?:\\\\)*)\\\n/g, '$1')
    .split('\n')
    .filter((line) => !/^\s*[#;]/.test(line));
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', b: '\b' };

/** Quotes group, a backslash escapes, `#` and `;` outside of quotes begin a comment. */
function unquoted(raw: string): string {
  let value = '';
  let quoted = false;
  /** Of the value: blanks at its end that stand outside of quotes do not count */
  let kept = 0;
  for (let at = 0; at < raw.length; at += 1) {
    const char = raw[at] ?? '';
    if (char === '"') quoted = !quoted;
    else if (char === '\\') {
      at += 1;
      value += ESCAPES[raw[at] ?? ''] ?? raw[at] ?? '';
    } else if (!quoted && (char === '#' || char === ';')) break;
    else if (value !== '' || quoted || !/\s/.test(char)) value += char;
    if (quoted || !/\s/.test(char)) kept = value.length;
  }
  return value.slice(0, kept);
}

/** Keys whose value git runs without being asked to */
const COMMANDS = [
  /^core\.(fsmonitor|sshcommand|editor|pager|askpass|gitproxy)$/,
  /^(sequence\.editor|diff\.external|interactive\.difffilter)$/,
  /^(diff\..*\.(command|textconv)|merge\..*\.driver|filter\..*\.(clean|smudge|process))$/,
  /^(gpg\..*program|credential(\..*)?\.helper|pager\..*)$/,
];

/** A path as the configuration has it, and from where it counts. */
export interface NamedPath {
  path: string;
  from: 'tree' | 'file';
  kind: 'include' | 'folder' | 'program';
}

export function pathsNamedBy({ key, value }: ConfigEntry): NamedPath[] {
  if (/^include(if\..*)?\.path$/s.test(key)) return [{ path: value, from: 'file', kind: 'include' }];
  const inTree = (path: string, kind: 'folder' | 'program'): NamedPath => ({ path, from: 'tree', kind });
  if (key === 'core.hookspath') return [inTree(value, 'folder')];
  if (key === 'core.attributesfile' || key === 'core.excludesfile') return [inTree(value, 'program')];
  if (!COMMANDS.some((pattern) => pattern.test(key))) return [];
  return value
    .split(/[\s"'!;|&()<>=]+/)
    .filter((word) => word.includes('/'))
    .map((word) => inTree(word, 'program'));
}
