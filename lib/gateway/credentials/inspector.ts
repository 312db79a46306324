/** Replaces placeholders with secrets on requests and masks secrets in responses. */

import { valuesOf } from '../http/headers.ts';
import type { Denied, InspectedRequest, Inspector, InspectorDenial, Passing } from '../http/inspector.ts';
import { FULL_CREDENTIAL_ENFORCEMENT } from '../request/enforcement.ts';
import { denialOfCondition, denialOfKeyInQuery, denialOfMisuse, denialWithoutTls } from './denials.ts';
import { type Found, inBody, placeholdersIn } from './find-placeholders.ts';
import { loginsOf, withSecrets } from './login.ts';
import { conditionOnChange, keyInQuery } from './login-names.ts';
import { bodyKindOf } from './oauth-tokens.ts';
import { CORE_LENGTH } from './placeholder.ts';
import type { PlaceholderBook } from './placeholder-book.ts';
import { changeAnswer, maskedStream } from './response.ts';
import { bound, type CredentialState, type CredentialsInput, hostsOf } from './state.ts';

/** Bodies up to this size, in bytes, are checked before the dial */
const BODY_MAX = 256 * 1024;

export function credentialInspector(input: CredentialsInput): Inspector {
  const enforcement = { ...FULL_CREDENTIAL_ENFORCEMENT, ...input.enforcement };
  const state: CredentialState = { ...input, enforcement, sent: new Map() };
  return {
    bodyMax: BODY_MAX,
    wants: (host, port) => bound(state, host, port).length > 0,
    async request(message) {
      await input.ready?.();
      return decideRequest(state, message);
    },
    response: (message) => changeAnswer(state, message),
    switched: (host, port) => maskedStream(state, host, port),
  };
}

async function decideRequest(state: CredentialState, message: InspectedRequest): Promise<Passing | Denied> {
  const { enforcement, book } = state;
  const { host, port, secure } = message;
  const here = bound(state, host, port);
  const found = placeholdersIn(message, book, loginsOf(state));
  const denial = enforcement.placeholders ? misuseIn(state, message, found) : undefined;
  if (denial !== undefined) return denial;
  const watch = enforcement.placeholders
    ? { watch: watchStream(book, (one) => denialOfFound(state, message, one)) }
    : {};
  const isNamed = state.bindings().some((one) => one.host === host);
  if (!secure && isNamed && enforcement.secureOnly) return denialWithoutTls(host);
  if (here.length === 0) return { headers: message.headers, ...watch };
  const parameter = enforcement.strip ? keyInQuery(message.target) : undefined;
  if (parameter !== undefined) return denialOfKeyInQuery(parameter);
  const names = message.headers.map(([name]) => name);
  const condition = enforcement.ranges ? conditionOnChange(message.method, names) : undefined;
  if (condition !== undefined) return denialOfCondition(condition);
  const passing = await withSecrets(state, message, here, found);
  return 'denial' in passing ? passing : { ...passing, ...watch };
}

function misuseIn(state: CredentialState, message: InspectedRequest, found: readonly Found[]): Denied | undefined {
  const wrong = found.find((one) => !belongs(state, message, one));
  return wrong === undefined ? undefined : denialOfFound(state, message, wrong);
}

function denialOfFound(state: CredentialState, { host, port, secure }: InspectedRequest, found: Found): Denied {
  const hosts = hostsOf(state, found.placeholder)?.map((one) => shortHost(one));
  return denialOfMisuse({ found, host: shortHost(`${host}:${port}`), hosts, secure });
}

/** A placeholder belongs in a login header; a token also in a body that exchanges it. */
function belongs(
  state: CredentialState,
  { host, port, secure, method, headers }: InspectedRequest,
  { placeholder, where }: Found,
): boolean {
  if (!secure || hostsOf(state, placeholder)?.includes(`${host}:${port}`) !== true) return false;
  if (where === 'login') return true;
  const exchanged = where === 'body' && method === 'POST' && placeholder.token !== undefined;
  return exchanged && bodyKindOf(valuesOf(headers, 'content-type')[0]) !== undefined;
}

function shortHost(authority: string): string {
  return authority.replace(/:443$/, '');
}

/** Finds placeholders in a streamed body, also across its parts. */
function watchStream(
  book: PlaceholderBook,
  denialFor: (found: Found) => Denied,
): (part: Buffer) => InspectorDenial | undefined {
  let tail = '';
  return (part) => {
    const text = tail + part.toString('latin1');
    tail = text.slice(1 - CORE_LENGTH);
    const [first] = inBody(text, book);
    return first === undefined ? undefined : denialFor(first).denial;
  };
}
