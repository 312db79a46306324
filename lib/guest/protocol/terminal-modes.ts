/**
 * Tracks the modes that a program sets in a terminal (alternate screen, mouse, keyboard protocol), read from its output: a terminal that
 * joins later is put in the same state, and one that leaves is reset. Pure.
 */

const ESC = 0x1b;
const ESCAPE = String.fromCharCode(ESC);
/** Longest tracked sequence */
const LONGEST = 64;
const MAX_MODES = 64;
/** On in a fresh terminal: line wrap, visible cursor */
const ON_AT_FIRST = new Set([7, 25]);
/** Lasts for one frame only */
const UNTRACKED = new Set([2026]);
const ALTERNATE_SCREEN = [47, 1047, 1049];

const SEQUENCE = new RegExp(
  `^${ESCAPE}(?:c|=|>|\\[!p|\\[\\?([\\d;]{1,40})([hl])|\\[>(\\d*)u|\\[<(\\d*)u|\\[=(\\d*)(?:;\\d*)?u|\\[>4;?(\\d*)m|\\[(\\d*) q|\\[([\\d;]*)r)`,
);
const UNFINISHED = new RegExp(`^${ESCAPE}(?:\\[[?><=!]?[\\d; ]*)?$`);

export class TerminalModes {
  readonly #modes = new Map<number, boolean>();
  /** Flags of the keyboard protocol, as a stack */
  #keyboard: number[] = [];
  #otherKeys = false;
  #keypad = false;
  #cursor = false;
  #region = false;
  #rest = Buffer.alloc(0);

  feed(data: Buffer): void {
    const all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    this.#rest = Buffer.alloc(0);
    for (let at = all.indexOf(ESC); at >= 0; at = all.indexOf(ESC, at + 1)) {
      const text = all.toString('latin1', at, at + LONGEST);
      const found = SEQUENCE.exec(text);
      if (found !== null) this.#apply(found);
      else if (text.length < LONGEST && UNFINISHED.test(text)) this.#rest = Buffer.from(all.subarray(at));
    }
  }

  /** Sequences that bring a fresh terminal into this state. */
  enter(): string {
    const set = [...this.#modes].filter(([mode, on]) => on !== ON_AT_FIRST.has(mode));
    return [
      ...set.map(([mode, on]) => `${ESCAPE}[?${mode}${on ? 'h' : 'l'}`),
      ...this.#keyboard.map((flags) => `${ESCAPE}[>${flags}u`),
      this.#otherKeys ? `${ESCAPE}[>4;2m` : '',
      this.#keypad ? `${ESCAPE}=` : '',
    ].join('');
  }

  /** Sequences that bring a terminal from this state back to that of a fresh one; the alternate screen is left last. */
  leave(): string {
    const set = [...this.#modes].filter(([mode, on]) => on !== ON_AT_FIRST.has(mode));
    const back = (list: typeof set) => list.map(([mode, on]) => `${ESCAPE}[?${mode}${on ? 'l' : 'h'}`);
    const isScreen = ([mode]: [number, boolean]) => ALTERNATE_SCREEN.includes(mode);
    return [
      this.#keyboard.length > 0 ? `${ESCAPE}[<${this.#keyboard.length}u` : '',
      this.#otherKeys ? `${ESCAPE}[>4m` : '',
      this.#keypad ? `${ESCAPE}>` : '',
      this.#cursor ? `${ESCAPE}[0 q` : '',
      // Setting the region moves the cursor, which is saved and restored.
      this.#region ? `${ESCAPE}7${ESCAPE}[r${ESCAPE}8` : '',
      ...back(set.filter((one) => !isScreen(one))),
      `${ESCAPE}[0m`,
      ...back(set.filter(isScreen)),
    ].join('');
  }

  #apply(found: RegExpExecArray): void {
    const [all, modes, letter, push, pop, change, other, cursor, region] = found;
    if (modes !== undefined) this.#set(modes, letter === 'h');
    else if (push !== undefined) this.#keyboard = [...this.#keyboard, Number(push)].slice(-8);
    else if (pop !== undefined) this.#keyboard = this.#keyboard.slice(0, -Math.max(1, Number(pop)));
    else if (change !== undefined) this.#keyboard = [...this.#keyboard.slice(0, -1), Number(change)];
    else if (other !== undefined) this.#otherKeys = Number(other) > 0;
    else if (cursor !== undefined) this.#cursor = Number(cursor) > 0;
    else if (region !== undefined) this.#region = region.replaceAll(';', '') !== '';
    else if (all === `${ESCAPE}=` || all === `${ESCAPE}>`) this.#keypad = all.endsWith('=');
    else this.#reset(all === `${ESCAPE}c`);
  }

  #set(list: string, on: boolean): void {
    for (const mode of list.split(';').map(Number)) {
      if (UNTRACKED.has(mode) || (!this.#modes.has(mode) && this.#modes.size >= MAX_MODES)) continue;
      this.#modes.set(mode, on);
    }
  }

  /** A soft reset keeps the screen and the mouse modes. */
  #reset(hard: boolean): void {
    if (hard) this.#modes.clear();
    else for (const mode of [1, 6, 25]) this.#modes.delete(mode);
    if (hard) this.#keyboard = [];
    this.#keypad = false;
    this.#region = false;
  }
}
