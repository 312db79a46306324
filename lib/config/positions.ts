/** Where each key and array element of a TOML text stands. The parser has accepted the text already: this only finds places. */

export interface Position {
  /** Counted from 1 */
  line: number;
  column: number;
}

/** Place by path: keys joined by dots, array elements as `[0]`. A table's place is its header or first key. */
export type Positions = Map<string, Position>;

export function findPositions(text: string): Positions {
  return new Scanner(text).run();
}

/** `a`, `b`, 0 → `a.b[0]` */
export function pathOf(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path === '' ? String(key) : `${path}.${String(key)}`),
    '',
  );
}

class Scanner {
  readonly #text: string;
  readonly #positions: Positions = new Map();
  readonly #arrayTables = new Map<string, number>();
  readonly #lineStarts: number[] = [0];
  #at = 0;
  #table: (string | number)[] = [];

  constructor(text: string) {
    this.#text = text;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lineStarts.push(at + 1);
  }

  run(): Positions {
    for (;;) {
      this.#skipBlank(true);
      if (this.#at >= this.#text.length) return this.#positions;
      const before = this.#at;
      if (this.#peek() === '[') this.#header();
      else this.#pair(this.#table);
      // A text the parser took but we cannot read gives fewer places, never a loop.
      if (this.#at === before) this.#at += 1;
    }
  }

  #header(): void {
    const start = this.#at;
    const isArray = this.#text.startsWith('[[', this.#at);
    this.#at += isArray ? 2 : 1;
    this.#skipBlank(false);
    const keys = this.#keys();
    while (this.#peek() === ']') this.#at += 1;
    const path: (string | number)[] = [];
    keys.forEach((key, index) => {
      path.push(key);
      const last = index === keys.length - 1;
      const joined = pathOf(path);
      if (last && isArray) this.#arrayTables.set(joined, (this.#arrayTables.get(joined) ?? -1) + 1);
      const element = this.#arrayTables.get(joined);
      this.#note(path, start);
      if (element !== undefined) path.push(element);
    });
    this.#note(path, start);
    this.#table = path;
  }

  #pair(base: (string | number)[]): void {
    const start = this.#at;
    const keys = this.#keys();
    const path = [...base];
    for (const key of keys) {
      path.push(key);
      this.#note(path, start);
    }
    this.#skipBlank(false);
    if (this.#peek() === '=') this.#at += 1;
    this.#skipBlank(false);
    this.#value(path);
  }

  #keys(): string[] {
    const keys: string[] = [];
    for (;;) {
      this.#skipBlank(false);
      const quote = this.#peek();
      if (quote === '"' || quote === "'") keys.push(this.#string());
      else {
        const start = this.#at;
        while (/[A-Za-z0-9_-]/.test(this.#peek())) this.#at += 1;
        keys.push(this.#text.slice(start, this.#at));
      }
      this.#skipBlank(false);
      if (this.#peek() !== '.') return keys;
      this.#at += 1;
    }
  }

  #value(path: (string | number)[]): void {
    const first = this.#peek();
    if (first === '"' || first === "'") this.#string();
    else if (first === '[') this.#array(path);
    else if (first === '{') this.#inlineTable(path);
    else while (this.#at < this.#text.length && !/[,\]}#\n]/.test(this.#peek())) this.#at += 1;
  }

  #array(path: (string | number)[]): void {
    this.#at += 1;
    for (let index = 0; ; index += 1) {
      this.#skipBlank(true);
      if (this.#at >= this.#text.length) return;
      if (this.#peek() === ']') {
        this.#at += 1;
        return;
      }
      const element = [...path, index];
      this.#note(element, this.#at);
      this.#value(element);
      this.#skipBlank(true);
      if (this.#peek() === ',') this.#at += 1;
      else if (this.#peek() !== ']') return;
    }
  }

  #inlineTable(path: (string | number)[]): void {
    this.#at += 1;
    for (;;) {
      this.#skipBlank(true);
      if (this.#at >= this.#text.length || this.#peek() === '}') break;
      const before = this.#at;
      this.#pair(path);
      this.#skipBlank(true);
      if (this.#peek() === ',') this.#at += 1;
      if (this.#at === before) return;
    }
    this.#at += 1;
  }

  /** Any of the four kinds; the value matters only for quoted keys without escapes. */
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

  #skipBlank(lines: boolean): void {
    for (;;) {
      const char = this.#peek();
      if (char === '#' && lines) while (this.#at < this.#text.length && this.#peek() !== '\n') this.#at += 1;
      else if (char === ' ' || char === '\t' || char === '\r' || char === '\uFEFF' || (lines && char === '\n'))
        this.#at += 1;
      else return;
    }
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #note(path: (string | number)[], at: number): void {
    const key = pathOf(path);
    if (this.#positions.has(key)) return;
    let low = 0;
    for (let high = this.#lineStarts.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    this.#positions.set(key, { line: low + 1, column: at - (this.#lineStarts[low] ?? 0) + 1 });
  }
}
