/**
 * Detects the keys that detach from a session, by default `ctrl-],d`. A terminal sends a key as a byte, or, if a program asked for it, as an
 * escape sequence: both are detected. Keys of an incomplete match are passed on, in order. Pure.
 */
import { SbxError } from '../../errors.ts';

export const DETACH_KEYS = 'ctrl-],d';

export interface DetachKeys {
  /** Returns the input to pass on, and whether the user detaches */
  push(input: Buffer): { pass: Buffer; detached: boolean };
  /** Returns the input that is held back, for when no more keys arrive */
  flush(): Buffer;
}

interface Key {
  /** Of the character, without Ctrl */
  code: number;
  ctrl: boolean;
}

const ESCAPE = String.fromCharCode(27);
/** `ESC [ code ; modifiers : event u`, and the older `ESC [ 27 ; modifiers ; code ~` */
const NAMED = new RegExp(`^${ESCAPE}\\[(?:(\\d+)(?::\\d*)*(?:;(\\d*)(?::(\\d*))?)?(?:;[\\d:]*)?u|27;(\\d+);(\\d+)~)`);
const UNFINISHED = new RegExp(`^${ESCAPE}\\[[\\d;:]{0,30}$`);
const CTRL = 4;
/** Shift, Alt, Super, Hyper, Meta; not the two locks */
const OTHERS = 1 | 2 | 8 | 16 | 32;
const RELEASE = 3;

/** @throws SbxError `usage` */
export function detachKeys(text: string): DetachKeys {
  const wanted = text.split(',').map((word) => parseKey(word, text));
  let held = '';
  let matched = 0;
  const one = (token: string): { pass: string; detached: boolean } => {
    const key = keyOf(token);
    if (key === undefined) return matched > 0 ? hold(token) : { pass: token, detached: false };
    if (isSame(key, wanted[matched])) {
      matched += 1;
      return matched === wanted.length ? { pass: '', detached: true } : hold(token);
    }
    const pass = held;
    [held, matched] = ['', 0];
    if (pass === '') return { pass: token, detached: false };
    const again = one(token);
    return { ...again, pass: pass + again.pass };
  };
  const hold = (token: string) => {
    held += token;
    return { pass: '', detached: false };
  };
  let rest = '';
  return {
    push(input) {
      let pass = '';
      const { tokens, unfinished } = split(rest + input.toString('latin1'));
      rest = unfinished;
      for (const token of tokens) {
        const step = one(token);
        pass += step.pass;
        if (step.detached) return { pass: Buffer.from(pass, 'latin1'), detached: true };
      }
      return { pass: Buffer.from(pass, 'latin1'), detached: false };
    },
    flush() {
      const pass = held + rest;
      [held, rest, matched] = ['', '', 0];
      return Buffer.from(pass, 'latin1');
    },
  };
}

function parseKey(word: string, text: string): Key {
  const found = /^(?:(ctrl)-)?([\x21-\x7e])$/i.exec(word.trim());
  const character = found?.[2] ?? '';
  const ctrl = found?.[1] !== undefined;
  if (character !== '' && (!ctrl || /[a-z@[\\\]^_]/i.test(character)))
    return { code: (ctrl ? character.toLowerCase() : character).charCodeAt(0), ctrl };
  throw new SbxError('usage', `invalid key in --detach-keys ${text}: "${word}"`, {
    hint: `write characters, each with or without ctrl-, separated by commas: ${DETACH_KEYS}`,
  });
}

function split(text: string): { tokens: string[]; unfinished: string } {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at, at + 64);
    // A sequence cut off at the end of a read waits for the rest; ESC alone is the Escape key and does not wait.
    if (UNFINISHED.test(text.slice(at))) return { tokens, unfinished: text.slice(at) };
    const token = NAMED.exec(rest)?.[0] ?? rest.slice(0, 1);
    tokens.push(token);
    at += token.length;
  }
  return { tokens, unfinished: '' };
}

/** Undefined: the release of a key, which is not a key press. */
function keyOf(token: string): Key | undefined {
  const found = NAMED.exec(token);
  if (found === null) {
    const code = token.charCodeAt(0);
    return code < 32 && code !== 27 ? { code: controlName(code), ctrl: true } : { code, ctrl: false };
  }
  const [, code, modifiers, event, oldModifiers, oldCode] = found;
  if (Number(event) === RELEASE) return undefined;
  const bits = Math.max(0, Number(modifiers || oldModifiers || 1) - 1);
  // Another modifier makes it another key.
  return { code: bits & OTHERS ? -1 : Number(code ?? oldCode), ctrl: (bits & CTRL) !== 0 };
}

/** 1 → a … 26 → z, 29 → ] */
function controlName(code: number): number {
  return code >= 1 && code <= 26 ? code + 96 : code + 64;
}

function isSame(key: Key, wanted: Key | undefined): boolean {
  return key.code === wanted?.code && key.ctrl === wanted.ctrl;
}
