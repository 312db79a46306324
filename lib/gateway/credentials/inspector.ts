/** The credentials of one sandbox at its door: the guest's stand-ins come in, the secrets of the host go out, and never the other way. */

import { valuesOf } from '../http/headers.ts';
import type { InspectedRequest, Inspector, Passing, Refusing } from '../http/inspector.ts';
import { ALL_INJECTION_CONTROLS } from '../request/enforcement.ts';
import { keyInAddress, misused, withoutTls } from './denials.ts';
import { type Found, keyInQuery, placeholdersIn } from './find-placeholders.ts';
import { loginsOf, withSecrets } from './login.ts';
import { kindOf } from './oauth-tokens.ts';
import { changeAnswer, maskedStream } from './response.ts';
import { bound, type CredentialState, type CredentialsInput, hostsOf } from './state.ts';
import { watchStream } from './watch-stream.ts';

/** Bodies up to here are looked at before anything is dialled */
const BODY_MAX = 256 * 1024;

export function credentialInspector(input: CredentialsInput): Inspector {
  const controls = { ...ALL_INJECTION_CONTROLS, ...input.controls };
  const state: CredentialState = { ...input, controls, sent: new Map() };
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

async function decideRequest(state: CredentialState, message: InspectedRequest): Promise<Passing | Refusing> {
  const { controls, book } = state;
  const { host, port, secure } = message;
  const here = bound(state, host, port);
  const found = placeholdersIn(message, book, loginsOf(state));
  const refusal = controls.placeholders ? misuseIn(state, message, found) : undefined;
  if (refusal !== undefined) return refusal;
  const watch = controls.placeholders ? { watch: watchStream(book, (one) => refuseFound(state, message, one)) } : {};
  const isNamed = state.bindings().some((one) => one.host === host);
  if (!secure && isNamed && controls.secureOnly) return withoutTls(host);
  if (here.length === 0) return { fields: message.fields, ...watch };
  const parameter = controls.strip ? keyInQuery(message.target) : undefined;
  if (parameter !== undefined) return keyInAddress(parameter);
  const going = await withSecrets(state, message, here, found);
  return 'refusal' in going ? going : { ...going, ...watch };
}

function misuseIn(state: CredentialState, message: InspectedRequest, found: readonly Found[]): Refusing | undefined {
  const wrong = found.find((one) => !belongs(state, message, one));
  return wrong === undefined ? undefined : refuseFound(state, message, wrong);
}

function refuseFound(state: CredentialState, { host, port, secure }: InspectedRequest, found: Found): Refusing {
  const hosts = hostsOf(state, found.placeholder)?.map((one) => shortHost(one));
  return misused({ found, host: shortHost(`${host}:${port}`), hosts, secure });
}

/** A login stands in its header; a token may also be sent where it is exchanged for another one. */
function belongs(
  state: CredentialState,
  { host, port, secure, method, fields }: InspectedRequest,
  { placeholder, where }: Found,
): boolean {
  if (!secure || hostsOf(state, placeholder)?.includes(`${host}:${port}`) !== true) return false;
  if (where === 'login') return true;
  const exchanged = where === 'body' && method === 'POST' && placeholder.token !== undefined;
  return exchanged && kindOf(valuesOf(fields, 'content-type')[0]) !== undefined;
}

function shortHost(authority: string): string {
  return authority.replace(/:443$/, '');
}
