/** Removes the guest's own logins from a request and injects the real one. */

import { type Header, valuesOf } from '../http/headers.ts';
import type { Denied, InspectedRequest, Passing } from '../http/inspector.ts';
import { type Binding, headerValue, type Loaded, matchingCredentials } from './bindings.ts';
import { denialOfUnreadable } from './denials.ts';
import type { Found } from './find-placeholders.ts';
import { bodyKindOf, encodedFor } from './oauth-tokens.ts';
import type { Placeholder } from './placeholder-book.ts';
import { type CredentialState, placeholderOf, remember } from './state.ts';

/** Login headers of any API: removed from requests to a host with a credential. */
const LOGINS = [
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-auth-token',
  'x-access-token',
  'private-token',
  'job-token',
  'cookie',
];

export function loginsOf({ bindings }: CredentialState): Set<string> {
  return new Set([...LOGINS, ...bindings().map(({ header }) => header)]);
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
  const kept = message.headers.filter(([name]) => !state.enforcement.strip || !logins.has(name.toLowerCase()));
  const plain = kept.filter(([name]) => !['accept-encoding', 'sec-websocket-extensions'].includes(name.toLowerCase()));
  const chosen = tokens.length > 0 ? [] : matchingCredentials(loaded.values, carried);
  for (const { binding, value } of chosen) remember(state, value, placeholderOf(state, binding.env));
  const own = tokens.length > 0 ? withTokens(message.headers, logins, tokens) : [];
  const headers: Header[] = [
    ...plain,
    // A compressed response could not be masked.
    ['Accept-Encoding', 'identity'],
    ...own,
    ...chosen.map(({ binding, value }): Header => [binding.header, headerValue(binding.format, value)]),
  ];
  const body = message.body === undefined ? undefined : exchanged(message, found);
  return { headers, detail: detailOf(here, chosen, tokens), ...(body === undefined ? {} : { body }) };
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
    .filter(([name, value]) => logins.has(name.toLowerCase()) && tokens.some(({ text }) => value.includes(text)))
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

function detailOf(here: readonly Binding[], chosen: readonly Loaded[], tokens: readonly Placeholder[]): string {
  if (tokens.length > 0) return `with the token ${tokens.map(({ label }) => label).join(', ')}`;
  const names = [...new Set(here.map(({ secret }) => secret))].join(', ');
  if (chosen.length === 0) return `without a login: the secret ${names} is not set`;
  return `with the secret ${chosen.map(({ binding }) => binding.secret).join(', ')}`;
}
