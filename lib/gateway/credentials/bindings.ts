/** Selects the credential for a request. Pure. */
import { type Endpoint, parseAuthority } from '../address/canonical-host.ts';
import type { Placeholder } from './placeholder-book.ts';

export interface Binding {
  secret: string;
  env: string;
  /** Canonical */
  host: string;
  port: number;
  /** Lower case */
  header: string;
  format: string;
}

const HTTPS = 443;

/** Undefined: the host is invalid. */
export function bindingOf(entry: {
  secret: string;
  env: string;
  host: string;
  header: string;
  format: string;
}): Binding | undefined {
  const endpoint: Endpoint | undefined = parseAuthority(bracketed(entry.host), HTTPS);
  if (endpoint === undefined) return undefined;
  return { ...entry, host: endpoint.host, port: endpoint.port };
}

/** A bare IPv6 address has no brackets in the file. */
function bracketed(host: string): string {
  return host.split(':').length > 2 && !host.startsWith('[') ? `[${host}]` : host;
}

export interface Loaded {
  binding: Binding;
  value: string;
}

/**
 * Credentials whose placeholders the request carries; else the first one of the host, in file order. At most one per header.
 * `loaded`: the credentials of the host whose secrets are set.
 */
export function matchingCredentials(loaded: readonly Loaded[], carried: readonly Placeholder[]): Loaded[] {
  const named = loaded.filter(({ binding }) =>
    carried.some(({ label, token }) => token === undefined && label === binding.env),
  );
  const chosen = named.length > 0 ? named : loaded.slice(0, 1);
  return chosen.filter(
    ({ binding }, index) => chosen.findIndex((one) => one.binding.header === binding.header) === index,
  );
}

const BASIC = /^Basic /i;

/** The header value; the part after `Basic ` is base64-encoded. */
export function headerValue(format: string, secret: string): string {
  const put = (text: string) => text.split('{}').join(secret);
  if (!BASIC.test(format)) return put(format);
  return `Basic ${Buffer.from(put(format.slice('Basic '.length)), 'latin1').toString('base64')}`;
}
