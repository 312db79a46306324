/** Registry of all placeholders of this process, with the owner of each. */
import { coreOf, coresIn } from './placeholder.ts';

export interface Placeholder {
  /** The whole value, as the guest sees it */
  text: string;
  sandbox: string;
  /** Human-readable name: an environment variable, or a field of a response */
  label: string;
  /** Set for a token issued by a response; undefined: for a variable, whose secret the bindings name */
  token?: { value: string; hosts: string[] };
}

export interface PlaceholderBook {
  put(placeholder: Placeholder): void;
  /** Distinct, in the order of the text */
  findIn(text: string): Placeholder[];
  of(sandbox: string): Placeholder[];
  drop(sandbox: string): void;
}

/** Per sandbox; older ones are dropped */
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
