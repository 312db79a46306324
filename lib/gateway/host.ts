/** Hosts and ports exactly as a request may name them: parsed strictly, brought to one form, or refused. Pure. */
import ipaddr from 'ipaddr.js';

export interface Endpoint {
  /** Lower case, no trailing dot; an address in its shortest form */
  host: string;
  port: number;
  /** The host is an address */
  literal: boolean;
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const NAME_MAX = 253;

/** `host:port`, `[v6]:port`; undefined when it is not exactly that. `defaultPort` stands in where none is given. */
export function parseAuthority(text: string, defaultPort?: number): Endpoint | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*)(?::(.*))?$/.exec(text);
  if (match === null || text.length > NAME_MAX + 10) return undefined;
  const port = match[2] === undefined ? defaultPort : parsePort(match[2]);
  const host = canonicalHost(match[1] ?? '');
  return port === undefined || host === undefined ? undefined : { ...host, port };
}

/** Decimal without sign or leading zeros, 1–65535. */
export function parsePort(text: string): number | undefined {
  if (!/^[1-9]\d{0,4}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

/** A-labels and four-part decimal or bracketed addresses only: no percent signs, no other scripts, no odd number forms. */
export function canonicalHost(text: string): { host: string; literal: boolean } | undefined {
  if (text.startsWith('[')) {
    const inner = text.slice(1, -1);
    return text.endsWith(']') && ipaddr.IPv6.isValid(inner) && !inner.includes('%')
      ? { host: canonicalAddress(inner), literal: true }
      : undefined;
  }
  // Some letters of other scripts have a lower case in ASCII.
  if (!/^[\x21-\x7e]*$/.test(text)) return undefined;
  const lower = text.toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (name.length === 0 || name.length > NAME_MAX) return undefined;
  if (ipaddr.IPv4.isValidFourPartDecimal(name)) return lower === name ? { host: name, literal: true } : undefined;
  const labels = name.split('.');
  if (!labels.every((label) => LABEL.test(label))) return undefined;
  // A last label of digits or 0x… is what lenient parsers take for a number.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return undefined;
  return { host: name, literal: false };
}

/** The one text of an address; an IPv4 address in an IPv6 dress stays what it is. */
export function canonicalAddress(address: string): string {
  return ipaddr.parse(address).toString();
}
