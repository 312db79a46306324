/** Parses hosts and ports strictly into one canonical form, or rejects them. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface Host {
  /** Lower case, no trailing dot; an address in its shortest form */
  host: string;
  /** `odd-number`: a non-canonical IPv4 form (`127.1`, `0x7f.1`), never resolved or dialled */
  kind: 'name' | 'address' | 'odd-number';
}

export interface Endpoint extends Host {
  port: number;
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const NUMBER = /^(\d+|0x[0-9a-f]*)$/;
const NAME_MAX = 253;
const AUTHORITY_MAX = NAME_MAX + '.:65535'.length;

/** `host:port` or `[v6]:port`; undefined if it is not exactly that. `defaultPort`: used if the text has no port. */
export function parseAuthority(text: string, defaultPort?: number): Endpoint | undefined {
  if (text.length > AUTHORITY_MAX) return undefined;
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*)(?::(.*))?$/.exec(text);
  if (match === null) return undefined;
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

/** A-labels and four-part decimal or bracketed addresses only: no percent signs, no other scripts. */
export function canonicalHost(text: string): Host | undefined {
  if (text.startsWith('[') && text.endsWith(']')) {
    const inner = text.slice(1, -1);
    return isAddress(inner) && isIPv6(inner) ? { host: canonicalAddress(inner), kind: 'address' } : undefined;
  }
  if (isAddress(text) && isIPv4(text)) return { host: text, kind: 'address' };
  const lower = text.toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (name.length === 0 || name.length > NAME_MAX) return undefined;
  const labels = name.split('.');
  if (!labels.every((label) => LABEL.test(label))) return undefined;
  return { host: name, kind: NUMBER.test(labels.at(-1) ?? '') ? 'odd-number' : 'name' };
}

/** Two parsers must agree that it is an address, without a zone. */
export function isAddress(text: string): boolean {
  if (isIPv4(text)) return ipaddr.IPv4.isValidFourPartDecimal(text);
  return isIPv6(text) && !text.includes('%') && ipaddr.IPv6.isValid(text);
}

/** The canonical text of an address; an IPv4-mapped one (`::ffff:1.2.3.4`) is unwrapped, as the kernel does. */
export function canonicalAddress(address: string): string {
  return parseAddress(address).toString();
}

export function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 {
  // ipaddr.js takes `::1.2.3.4` for `::ffff:1.2.3.4`; to the kernel they are two addresses.
  const compatible = /^::(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1];
  if (compatible === undefined) return ipaddr.process(text);
  return new ipaddr.IPv6([...new Array<number>(12).fill(0), ...ipaddr.IPv4.parse(compatible).toByteArray()]);
}

/** `host:port` as in a Host header. */
export function authorityOf({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
