/** The logins of a request to a host with a credential: the guest's own go, the real one comes. */

import { type Field, valuesOf } from '../http/headers.ts';
import type { InspectedRequest, Passing, Refusing } from '../http/inspector.ts';
import { type Binding, headerValue, type Loaded, speakers } from './bindings.ts';
import { unreadable } from './denials.ts';
import type { Found } from './find-placeholders.ts';
import { kindOf, written } from './oauth-tokens.ts';
import type { Placeholder } from './placeholder-book.ts';
import { type CredentialState, placeholderOf, remember } from './state.ts';

/** Where logins stand, whatever the API is. With a credential of the host in force, none of the guest's own goes on. */
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
): Promise<Passing | Refusing> {
  const loaded = await loadAll(state, here);
  if ('refusal' in loaded) return loaded;
  const carried = found.filter(({ where }) => where === 'login').map(({ placeholder }) => placeholder);
  const tokens = carried.filter(({ token }) => token !== undefined);
  const logins = loginsOf(state);
  const kept = message.fields.filter(([name]) => !state.controls.strip || !logins.has(name.toLowerCase()));
  const plain = kept.filter(([name]) => !['accept-encoding', 'sec-websocket-extensions'].includes(name.toLowerCase()));
  const chosen = tokens.length > 0 ? [] : speakers(loaded.values, carried);
  for (const { binding, value } of chosen) remember(state, value, placeholderOf(state, binding.env));
  const own = tokens.length > 0 ? withTokens(message.fields, logins, tokens) : [];
  const fields: Field[] = [
    ...plain,
    // What comes encoded could not be masked.
    ['Accept-Encoding', 'identity'],
    ...own,
    ...chosen.map(({ binding, value }): Field => [binding.header, headerValue(binding.format, value)]),
  ];
  const body = message.body === undefined ? undefined : exchanged(message, found);
  return { fields, detail: detailOf(here, chosen, tokens), ...(body === undefined ? {} : { body }) };
}

async function loadAll(state: CredentialState, here: readonly Binding[]): Promise<{ values: Loaded[] } | Refusing> {
  const values: Loaded[] = [];
  for (const binding of here) {
    try {
      const value = await state.secretOf(binding.secret);
      if (value !== undefined) values.push({ binding, value });
    } catch (error) {
      return unreadable(binding.secret, error instanceof Error ? error.message : 'unknown reason');
    }
  }
  return { values };
}

/** The guest's own login headers, with the real tokens in them. */
function withTokens(fields: readonly Field[], logins: ReadonlySet<string>, tokens: readonly Placeholder[]): Field[] {
  return fields
    .filter(([name, value]) => logins.has(name.toLowerCase()) && tokens.some(({ text }) => value.includes(text)))
    .map(
      ([name, value]): Field => [
        name,
        tokens.reduce((text, { text: placeholder, token }) => text.split(placeholder).join(token?.value ?? ''), value),
      ],
    );
}

function exchanged({ body, fields }: InspectedRequest, found: readonly Found[]): Buffer | undefined {
  const kind = kindOf(valuesOf(fields, 'content-type')[0]);
  const tokens = found.filter(({ where, placeholder }) => where === 'body' && placeholder.token !== undefined);
  if (body === undefined || kind === undefined || tokens.length === 0) return undefined;
  const text = tokens.reduce(
    (all, { placeholder }) => all.split(placeholder.text).join(written(placeholder.token?.value ?? '', kind)),
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
