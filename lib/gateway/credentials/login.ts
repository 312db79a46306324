/** Removes the guest's own logins from a request and injects the real one. */

import { type Header, valuesOf } from '../http/headers.ts';
import type { Denied, InspectedRequest, Passing } from '../http/inspector.ts';
import type { CredentialEnforcement } from '../request/enforcement.ts';
import { type Binding, headerValue, type Loaded, matchingCredentials } from './bindings.ts';
import { denialOfUnreadable } from './denials.ts';
import type { Found } from './find-placeholders.ts';
import { asksForPart, headerName, isLoginLike, loginHeaders } from './login-names.ts';
import { bodyKindOf, encodedFor } from './oauth-tokens.ts';
import type { Placeholder } from './placeholder-book.ts';
import { type CredentialState, placeholderOf, remember } from './state.ts';

export function loginsOf({ bindings }: CredentialState): Set<string> {
  return loginHeaders(bindings().map(({ header }) => header));
}

export async function withSecrets(
  state: CredentialState,
  message: InspectedRequest,
  here: readonly Binding[],
  found: readonly Found[],
): Promise<Passing | Denied> {
  const loaded = await loadAll(state, here);
  if ('denial' in loaded) return loaded;
  const carried = found.filter(({ where }) => where === 'login').map(({ placeholder }) => placeholder);
  const tokens = carried.filter(({ token }) => token !== undefined);
  const logins = loginsOf(state);
  const plain = message.headers.filter(([name]) => !isDropped(name, { logins, enforcement: state.enforcement }));
  const chosen = tokens.length > 0 ? [] : matchingCredentials(loaded.values, carried);
  for (const { binding, value } of chosen) remember(state, value, placeholderOf(state, binding.env));
  const own = tokens.length > 0 ? withTokens(message.headers, logins, tokens) : [];
  const headers: Header[] = [
    ...plain,
    ['Accept-Encoding', 'identity'],
    ...own,
    ...chosen.map(({ binding, value }): Header => [binding.header, headerValue(binding.format, value)]),
  ];
  const body = message.body === undefined ? undefined : exchanged(message, found);
  return {
    headers,
    detail: detailOf(here, chosen, tokens) + without(message, state),
    ...(body === undefined ? {} : { body }),
  };
}

/** A response in another encoding or character set, or only a part of it, could not be masked. */
const UNREADABLE: ReadonlySet<string> = new Set([
  'accept-encoding',
  'accept-charset',
  'sec-websocket-extensions',
  'a-im',
]);

function isDropped(
  name: string,
  { logins, enforcement }: { logins: ReadonlySet<string>; enforcement: CredentialEnforcement },
): boolean {
  if (UNREADABLE.has(headerName(name))) return true;
  if (enforcement.ranges && asksForPart(name)) return true;
  return enforcement.strip && (logins.has(headerName(name)) || isLoginLike(name));
}

async function loadAll(state: CredentialState, here: readonly Binding[]): Promise<{ values: Loaded[] } | Denied> {
  const values: Loaded[] = [];
  for (const binding of here) {
    try {
      const value = await state.secretOf(binding.secret);
      if (value !== undefined) values.push({ binding, value });
    } catch (error) {
      return denialOfUnreadable(binding.secret, error instanceof Error ? error.message : 'unknown reason');
    }
  }
  return { values };
}

/** The guest's own login headers, with the real tokens in them. */
function withTokens(headers: readonly Header[], logins: ReadonlySet<string>, tokens: readonly Placeholder[]): Header[] {
  return headers
    .filter(([name, value]) => logins.has(headerName(name)) && tokens.some(({ text }) => value.includes(text)))
    .map(
      ([name, value]): Header => [
        name,
        tokens.reduce((text, { text: placeholder, token }) => text.split(placeholder).join(token?.value ?? ''), value),
      ],
    );
}

function exchanged({ body, headers }: InspectedRequest, found: readonly Found[]): Buffer | undefined {
  const kind = bodyKindOf(valuesOf(headers, 'content-type')[0]);
  const tokens = found.filter(({ where, placeholder }) => where === 'body' && placeholder.token !== undefined);
  if (body === undefined || kind === undefined || tokens.length === 0) return undefined;
  const text = tokens.reduce(
    (all, { placeholder }) => all.split(placeholder.text).join(encodedFor(placeholder.token?.value ?? '', kind)),
    body.toString('latin1'),
  );
  return Buffer.from(text, 'latin1');
}

/** Names dropped headers that no API is known for, so that a user finds out why a request lacks one. */
function without({ headers }: InspectedRequest, state: CredentialState): string {
  if (!state.enforcement.strip) return '';
  const logins = loginsOf(state);
  const names = headers.map(([name]) => name).filter((name) => !logins.has(headerName(name)) && isLoginLike(name));
  return names.length === 0 ? '' : `, without the header ${names.join(', ').slice(0, 200)}`;
}

function detailOf(here: readonly Binding[], chosen: readonly Loaded[], tokens: readonly Placeholder[]): string {
  if (tokens.length > 0) return `with the token ${tokens.map(({ label }) => label).join(', ')}`;
  const names = [...new Set(here.map(({ secret }) => secret))].join(', ');
  if (chosen.length === 0) return `without a login: the secret ${names} is not set`;
  return `with the secret ${chosen.map(({ binding }) => binding.secret).join(', ')}`;
}
