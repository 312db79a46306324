/** Reads git's configuration format, and lists what it makes git read or run. Pure. */

export interface ConfigEntry {
  /** Lower case but for a subsection: `core.fsmonitor`, `filter.LFS.clean` */
  key: string;
  value: string;
}

/** Git's own grammar, more lenient where it would fail: an entry after a damaged line still counts, which protects more. */
export function parseGitConfig(text: string): ConfigEntry[] {
  return new Parser(text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n')).entries();
}

const HEADER = /\[[ \t]*([\w.-]+)[ \t]*(?:"((?:[^"\\\n]|\\[^\n])*)")?[ \t]*\]/y;
const KEY = /([A-Za-z][\w-]*)[ \t]*(=|(?=\n|$))/y;
const BLANK = /\s*/y;
const REST = /[^\n]*/y;
const ESCAPES: Record<string, string> = { n: '\n', t: '\t', b: '\b', '\n': '' };

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  entries(): ConfigEntry[] {
    const found: ConfigEntry[] = [];
    let section = '';
    for (this.#match(BLANK); this.#at < this.#text.length; this.#match(BLANK)) {
      const header = this.#match(HEADER);
      const key = header === null ? this.#match(KEY) : null;
      if (header !== null) section = sectionOf(header[1] ?? '', header[2]);
      else if (key !== null)
        found.push({
          key: `${section}.${(key[1] ?? '').toLowerCase()}`,
          value: key[2] === '=' ? this.#value() : 'true',
        });
      // A comment, or what is damaged
      else this.#match(REST);
    }
    return found;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at = pattern.lastIndex;
    return found;
  }

  /** Quotes group, a backslash escapes and continues the line, `#` and `;` outside of quotes begin a comment. */
  #value(): string {
    let value = '';
    let blanks = '';
    for (let quoted = false; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text[this.#at] ?? '';
      if (char === '\n') break;
      if (!quoted && /\s/.test(char)) blanks += value === '' ? '' : char;
      else if (!quoted && (char === '#' || char === ';')) {
        this.#match(REST);
        break;
      } else {
        // Blanks at the end do not count.
        value += blanks;
        blanks = '';
        if (char === '"') quoted = !quoted;
        else value += char === '\\' ? this.#escaped() : char;
      }
    }
    return value;
  }

  #escaped(): string {
    this.#at += 1;
    const char = this.#text[this.#at] ?? '';
    return ESCAPES[char] ?? char;
  }
}

/** `[a "B"]` keeps the case of B; `[a.B]`, the old form, does not. */
function sectionOf(name: string, subsection: string | undefined): string {
  const lower = name.toLowerCase();
  return subsection === undefined ? lower : `${lower}.${subsection.replace(/\\(.)/g, '$1')}`;
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
