/** What the parts of a door's credentials share: what is bound where, and which values went out. */

import type { CredentialEnforcement } from '../request/enforcement.ts';
import type { Binding } from './bindings.ts';
import { encodingsOf } from './encodings.ts';
import { createMask, type Mask } from './mask.ts';
import type { Placeholder, PlaceholderBook } from './placeholder-book.ts';

export interface CredentialsInput {
  sandbox: string;
  book: PlaceholderBook;
  /** In force now, in the order of the file */
  bindings: () => readonly Binding[];
  /** Undefined: it is not set. @throws when it cannot be read; the message is shown inside */
  secretOf: (name: string) => Promise<string | undefined>;
  /** Before the first request: tokens of earlier answers are in the book */
  ready?: () => Promise<void>;
  /** A token was added to the book */
  onToken?: () => void;
  enforcement?: Partial<CredentialEnforcement>;
}

/** Earlier values of a secret that an answer may still repeat */
const REMEMBERED = 8;

interface Sent {
  value: string;
  placeholder: string | undefined;
}

export interface CredentialState extends Omit<CredentialsInput, 'controls'> {
  enforcement: CredentialEnforcement;
  /** Values that went out, for the mask; by value */
  sent: Map<string, Sent>;
  /** The mask of what is known now */
  made?: { key: string; mask: Mask };
}

/** Those for this very place. */
export function bound({ bindings, enforcement }: CredentialState, host: string, port: number): Binding[] {
  return bindings().filter((one) => !enforcement.ownHost || (one.host === host && one.port === port));
}

/** `host:port` of all places it is for; undefined: it is not this sandbox's. */
export function hostsOf({ sandbox, bindings }: CredentialState, placeholder: Placeholder): string[] | undefined {
  if (placeholder.sandbox !== sandbox) return undefined;
  if (placeholder.token !== undefined) return placeholder.token.hosts;
  return bindings()
    .filter(({ env }) => env === placeholder.label)
    .map(({ host, port }) => `${host}:${port}`);
}

/** A login's token is for the host that handed it out, and for every host that shares a secret with it. */
export function hostsSharing(state: CredentialState, host: string, port: number): string[] {
  const secrets = new Set(bound(state, host, port).map(({ secret }) => secret));
  const others = state.bindings().filter(({ secret }) => secrets.has(secret));
  return [...new Set([`${host}:${port}`, ...others.map((one) => `${one.host}:${one.port}`)])];
}

export function placeholderOf({ book, sandbox }: CredentialState, env: string): string | undefined {
  return book.of(sandbox).find(({ label, token }) => token === undefined && label === env)?.text;
}

/** For the mask. */
export function remember({ sent }: CredentialState, value: string, placeholder: string | undefined): void {
  sent.delete(value);
  sent.set(value, { value, placeholder });
  for (const oldest of [...sent.keys()].slice(0, -REMEMBERED)) sent.delete(oldest);
}

/** Of everything that went out, and of the tokens that came in. */
export function maskFor(state: CredentialState): Mask {
  const tokens = state.book
    .of(state.sandbox)
    .flatMap(({ text, token }) => (token === undefined ? [] : [{ value: token.value, placeholder: text }]));
  const all = state.enforcement.mask ? [...state.sent.values(), ...tokens] : [];
  const key = all.map(({ value, placeholder = '' }) => `${value} ${placeholder}`).join('\n');
  if (state.made?.key !== key)
    state.made = { key, mask: createMask(all.flatMap(({ value, placeholder }) => encodingsOf(value, placeholder))) };
  return state.made.mask;
}
