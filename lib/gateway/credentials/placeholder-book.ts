/** All stand-ins of all sandboxes of this process: whose each is, wherever it turns up. */
import { coreOf, coresIn } from './placeholder.ts';

export interface Placeholder {
  /** Whole, as it stands inside */
  text: string;
  sandbox: string;
  /** What people know it by: a variable, or a field of an answer */
  label: string;
  /** Undefined: of a variable, whose secret the bindings know; else of a token that an answer handed out */
  token?: { value: string; hosts: string[] };
}

export interface PlaceholderBook {
  put(placeholder: Placeholder): void;
  /** Each once, in the order of the text */
  findIn(text: string): Placeholder[];
  of(sandbox: string): Placeholder[];
  drop(sandbox: string): void;
}

/** A sandbox keeps its latest ones */
const TOKENS_MAX = 64;

export function createPlaceholderBook(): PlaceholderBook {
  const byCore = new Map<string, Placeholder>();
  const of = (sandbox: string) => [...byCore.values()].filter((one) => one.sandbox === sandbox);
  return {
    put(placeholder) {
      const core = coreOf(placeholder.text);
      if (core === undefined) return;
      byCore.set(core, placeholder);
      const tokens = of(placeholder.sandbox).filter(({ token }) => token !== undefined);
      for (const { text } of tokens.slice(0, -TOKENS_MAX)) byCore.delete(coreOf(text) ?? '');
    },
    findIn: (text) => [...new Set(coresIn(text))].flatMap((core) => byCore.get(core) ?? []),
    of,
    drop(sandbox) {
      for (const { text } of of(sandbox)) byCore.delete(coreOf(text) ?? '');
    },
  };
}
