/** Parses a file of variables in the form of dotenv: `NAME=value`, `export`, comments, quotes. Pure. */
import { SbxError } from '../../../errors.ts';

/** `file`: its absolute path, for errors. @throws SbxError `usage`, with the line. */
export function parseEnvFile(text: string, file: string): Record<string, string> {
  const variables: Record<string, string> = {};
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (let at = 0; at < lines.length; at += 1) {
    const line = at + 1;
    const [, name, rest] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)$/.exec(lines[at] ?? '') ?? [];
    if (name === undefined || rest === undefined) {
      if (/^\s*(#.*)?$/.test(lines[at] ?? '')) continue;
      throw wrong({ file, line }, 'it is not NAME=value');
    }
    let value = rest.trim();
    const quote = /^["']/.exec(value)?.[0];
    // A quoted value may have several lines.
    while (quote !== undefined && endOf(value, quote) < 0) {
      at += 1;
      if (at >= lines.length) throw wrong({ file, line }, `the quote ${quote} has no end`);
      value += `\n${lines[at]}`;
    }
    const parsed = quote === undefined ? value.replace(/(^|\s+)#.*$/, '') : unquoted(value, quote, { file, line });
    if (parsed.includes('\0')) throw wrong({ file, line }, 'it contains a NUL character');
    Object.defineProperty(variables, name, { value: parsed, enumerable: true, configurable: true, writable: true });
  }
  return variables;
}

interface Where {
  file: string;
  line: number;
}

/** Where the quote at the beginning ends; -1: nowhere. */
function endOf(value: string, quote: string): number {
  for (let at = 1; at < value.length; at += 1) {
    if (value[at] === quote) return at;
    if (quote === '"' && value[at] === '\\') at += 1;
  }
  return -1;
}

function unquoted(value: string, quote: string, where: Where): string {
  const end = endOf(value, quote);
  if (!/^\s*(#.*)?$/.test(value.slice(end + 1))) throw wrong(where, `there is more after the quote ${quote}`);
  const inner = value.slice(1, end);
  return quote === "'" ? inner : inner.replace(/\\([nrt"\\$`])/g, (_, char: string) => ESCAPES[char] ?? char);
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t' };

function wrong({ file, line }: Where, why: string): SbxError {
  return new SbxError('usage', 'invalid line of --env-file', {
    why,
    hint: 'write NAME=value, with quotes around a value that has spaces or #',
    place: { file, line, column: 1 },
  });
}
