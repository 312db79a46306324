/** State of a sandbox's credentials: bindings, and the secrets that were sent. */

import type { CredentialEnforcement } from '../request/enforcement.ts';
import type { Binding } from './bindings.ts';
import { encodingsOf } from './encodings.ts';
import { createMask, type Mask } from './mask.ts';
import type { Placeholder, PlaceholderBook } from './placeholder-book.ts';

export interface CredentialsInput {
  sandbox: string;
  book: PlaceholderBook;
  /** Current bindings, in file order */
  bindings: () => readonly Binding[];
  /** Undefined: it is not set. @throws if it cannot be read; the guest sees the message */
  secretOf: (name: string) => Promise<string | undefined>;
  /** Awaited before a request: loads tokens of earlier responses into the book */
  ready?: () => Promise<void>;
  /** A token was added to the book */
  onToken?: () => void;
  enforcement?: Partial<CredentialEnforcement>;
}

/** Number of sent values to mask, including earlier values of a secret */
const REMEMBERED = 8;

interface Sent {
  value: string;
  placeholder: string | undefined;
}

export interface CredentialState extends Omit<CredentialsInput, 'controls'> {
  enforcement: CredentialEnforcement;
  /** Sent secrets to mask, by value */
  sent: Map<string, Sent>;
  /** Cached mask for `key` */
  made?: { key: string; mask: Mask };
}

/** Bindings for this host and port. */
export function bound({ bindings, enforcement }: CredentialState, host: string, port: number): Binding[] {
  return bindings().filter((one) => !enforcement.ownHost || (one.host === host && one.port === port));
}

/** `host:port` of each valid destination; undefined: it belongs to another sandbox. */
export function hostsOf({ sandbox, bindings }: CredentialState, placeholder: Placeholder): string[] | undefined {
  if (placeholder.sandbox !== sandbox) return undefined;
  if (placeholder.token !== undefined) return placeholder.token.hosts;
  return bindings()
    .filter(({ env }) => env === placeholder.label)
    .map(({ host, port }) => `${host}:${port}`);
}

/** A token is valid for the host that issued it and for every host that shares a secret with it. */
export function hostsSharing(state: CredentialState, host: string, port: number): string[] {
  const secrets = new Set(bound(state, host, port).map(({ secret }) => secret));
  const others = state.bindings().filter(({ secret }) => secrets.has(secret));
  return [...new Set([`${host}:${port}`, ...others.map((one) => `${one.host}:${one.port}`)])];
}

export function placeholderOf({ book, sandbox }: CredentialState, env: string): string | undefined {
  return book.of(sandbox).find(({ label, token }) => token === undefined && label === env)?.text;
}

/** Adds a sent value to the mask. */
export function remember({ sent }: CredentialState, value: string, placeholder: string | undefined): void {
  sent.delete(value);
  sent.set(value, { value, placeholder });
  for (const oldest of [...sent.keys()].slice(0, -REMEMBERED)) sent.delete(oldest);
}

/** Masks the sent secrets and the issued tokens. */
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
