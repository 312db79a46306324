/** Walks over a TOML text that a parser has accepted, and notes where its keys and values begin. */
import { pathOf } from '../../spec/path-of.ts';

type Path = (string | number)[];

/** `run` never throws, never recurses deeper than `maxDepth`, and takes time in proportion to the text. */
export class Scanner {
  /** Offsets by path; `end`: behind the value, where there is one */
  readonly entries = new Map<string, { key: number; value: number; end?: number }>();
  /** `[table]` and `[[table]]`, in order; `end`: behind the brackets */
  readonly headers: { path: string; isArray: boolean; start: number; end: number }[] = [];
  /** What stands without quotes */
  readonly bare: [from: number, to: number][] = [];
  tooDeep: number | undefined;
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #elements = new Map<string, number>();
  #at = 0;
  #table: Path = [];

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  run(): void {
    for (;;) {
      this.#skipBlank();
      if (this.#ended()) return;
      const before = this.#at;
      if (this.#peek() === '[') this.#header();
      else this.#pair(this.#table);
      // A text that the parser took but this cannot read gives fewer places, never a loop.
      if (this.#at === before) this.#at += 1;
    }
  }

  #header(): void {
    const isArray = this.#text.startsWith('[[', this.#at);
    const begin = this.#at;
    this.#at += isArray ? 2 : 1;
    const path: Path = [];
    const keys = this.#keys(path.length);
    keys.forEach(({ key, start }, index) => {
      path.push(key);
      const joined = this.#note(path, start, start);
      const isLast = index === keys.length - 1;
      if (isLast && isArray) this.#elements.set(joined, (this.#elements.get(joined) ?? -1) + 1);
      const element = this.#elements.get(joined);
      if (element === undefined) return;
      path.push(element);
      this.#note(path, start, start);
    });
    while (this.#peek() === ']') this.#at += 1;
    this.headers.push({ path: pathOf(path), isArray, start: begin, end: this.#at });
    this.#table = path;
  }

  #pair(base: Path): void {
    const path = [...base];
    const keys = this.#keys(path.length);
    this.#skipSpace();
    if (this.#peek() === '=') this.#at += 1;
    this.#skipSpace();
    keys.forEach(({ key, start }, index) => {
      path.push(key);
      this.#note(path, start, index === keys.length - 1 ? this.#at : start);
    });
    this.#valueOf(path);
  }

  #valueOf(path: Path): void {
    this.#value(path);
    const entry = this.entries.get(pathOf(path));
    if (entry !== undefined) entry.end ??= this.#at;
  }

  #keys(depth: number): { key: string; start: number }[] {
    const keys: { key: string; start: number }[] = [];
    for (;;) {
      this.#skipSpace();
      const start = this.#at;
      if (this.#goesTooDeep(depth + keys.length + 1, start)) return [];
      keys.push({ key: this.#key(), start });
      this.#skipSpace();
      if (this.#peek() !== '.') return keys;
      this.#at += 1;
    }
  }

  #key(): string {
    const quote = this.#peek();
    if (quote === "'") return this.#string();
    if (quote === '"') return withoutEscapes(this.#string());
    return this.#match(/[A-Za-z0-9_-]*/y);
  }

  #value(path: Path): void {
    const first = this.#peek();
    if (first === '"' || first === "'") this.#string();
    else if (first === '[') this.#array(path);
    else if (first === '{') this.#inlineTable(path);
    else {
      const start = this.#at;
      this.#match(/[^,\]}#\n]*/y);
      this.bare.push([start, this.#at]);
    }
  }

  #array(path: Path): void {
    this.#at += 1;
    for (let index = 0; ; index += 1) {
      this.#skipBlank();
      if (this.#ended() || this.#goesTooDeep(path.length + 1, this.#at)) return;
      if (this.#peek() === ']') break;
      const element = [...path, index];
      this.#note(element, this.#at, this.#at);
      this.#valueOf(element);
      this.#skipBlank();
      if (this.#peek() === ',') this.#at += 1;
      else if (this.#peek() !== ']') return;
    }
    this.#at += 1;
  }

  #inlineTable(path: Path): void {
    this.#at += 1;
    for (;;) {
      this.#skipBlank();
      if (this.#ended()) return;
      if (this.#peek() === '}') break;
      const before = this.#at;
      this.#pair(path);
      this.#skipBlank();
      if (this.#peek() === ',') this.#at += 1;
      if (this.#at === before) return;
    }
    this.#at += 1;
  }

  /** Any of the four kinds of string: what stands between its quotes, as written. */
  #string(): string {
    const quote = this.#peek();
    const long = this.#text.startsWith(quote.repeat(3), this.#at);
    const close = long ? quote.repeat(3) : quote;
    const start = this.#at + close.length;
    let at = start;
    while (at < this.#text.length && !this.#text.startsWith(close, at))
      at += quote === '"' && this.#text[at] === '\\' ? 2 : 1;
    let end = at + close.length;
    // Up to two quotes may stand before the closing three.
    if (long) while (this.#text[end] === quote) end += 1;
    this.#at = end;
    return this.#text.slice(start, at);
  }

  #goesTooDeep(depth: number, offset: number): boolean {
    if (depth <= this.#maxDepth) return false;
    this.tooDeep ??= offset;
    this.#at = this.#text.length;
    return true;
  }

  #skipBlank(): void {
    this.#match(/(?:[ \t\r\n]+|#[^\n]*)*/y);
  }

  #skipSpace(): void {
    this.#match(/[ \t]*/y);
  }

  #match(sticky: RegExp): string {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #ended(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The first place counts: a table may be opened again further down. */
  #note(path: Path, key: number, value: number): string {
    const joined = pathOf(path);
    if (!this.entries.has(joined)) this.entries.set(joined, { key, value });
    return joined;
  }
}

const ESCAPES: Record<string, string> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r' };

function withoutEscapes(text: string): string {
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/g, (_, short, long, one) =>
    one === undefined ? character(Number.parseInt(short ?? long, 16)) : (ESCAPES[one] ?? one),
  );
}

function character(code: number): string {
  return code > 0x10ffff ? '' : String.fromCodePoint(code);
}
