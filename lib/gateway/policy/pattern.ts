/** Patterns of the allow and deny lists. Pure. */
import ipaddr from 'ipaddr.js';
import { canonicalHost, isAddress, parseAddress, parsePort } from '../address/canonical-host.ts';
import { viewsOf } from '../address/private-ranges.ts';

export interface Cidr {
  kind: 'cidr';
  range: ipaddr.IPv4 | ipaddr.IPv6;
  bits: number;
}

export interface Pattern {
  match: { kind: 'exact'; host: string } | { kind: 'one-label' | 'any-depth'; suffix: string } | Cidr;
  /** Undefined: the pattern has no port */
  ports: { from: number; to: number } | undefined;
}

/**
 * `host`, `*.host` (one label), `**.host` (any depth), an address or CIDR (IPv6 in brackets when a port follows), then
 * `:port` or `:from-to`. Undefined: it is none of these.
 */
export function parsePattern(text: string): Pattern | undefined {
  const parts = splitPorts(text);
  if (parts === undefined) return undefined;
  const match = parseMatch(parts.host);
  return match === undefined ? undefined : { match, ports: parts.ports };
}

function splitPorts(text: string): { host: string; ports: Pattern['ports'] } | undefined {
  const bracket = /^\[([^\]]*)\](\/\d+)?(?::(.+))?$/.exec(text);
  const [, inside, length = '', after] = bracket ?? [];
  if (inside !== undefined && !inside.includes(':')) return undefined;
  if (inside === undefined && text.split(':').length > 2) return { host: text, ports: undefined };
  const [host = '', port] = inside === undefined ? text.split(':') : [`${inside}${length}`, after];
  if (port === undefined) return { host, ports: undefined };
  const ports = parsePorts(port);
  return ports === undefined ? undefined : { host, ports };
}

function parsePorts(text: string): Pattern['ports'] {
  const [first = '', last, ...more] = text.split('-');
  const from = parsePort(first);
  const to = last === undefined ? from : parsePort(last);
  return from === undefined || to === undefined || from > to || more.length > 0 ? undefined : { from, to };
}

function parseMatch(host: string): Pattern['match'] | undefined {
  const wildcard = /^(\*\*?)\.(.+)$/.exec(host);
  if (wildcard !== null) {
    const suffix = canonicalHost(wildcard[2] ?? '');
    if (suffix?.kind !== 'name') return undefined;
    return { kind: wildcard[1] === '*' ? 'one-label' : 'any-depth', suffix: `.${suffix.host}` };
  }
  const cidr = parseCidr(host);
  if (cidr !== undefined) return cidr;
  const exact = canonicalHost(host);
  return exact?.kind === 'name' ? { kind: 'exact', host: exact.host } : undefined;
}

function parseCidr(text: string): Cidr | undefined {
  const [address = '', length, ...more] = text.split('/');
  if (more.length > 0 || !isAddress(address)) return undefined;
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const most = address.includes(':') ? 128 : 32;
  const bits = length === undefined ? most : Number(length);
  if (bits > most) return undefined;
  // Addresses are compared with IPv4-mapped ones unwrapped, so the pattern is unwrapped, too.
  const range = parseAddress(address);
  if (most === 32 || range instanceof ipaddr.IPv6) return { kind: 'cidr', range, bits };
  return bits >= 96 ? { kind: 'cidr', range, bits: bits - 96 } : undefined;
}

/** Whether the pattern covers a canonical name, on any port. */
export function coversName({ match }: Pattern, host: string): boolean {
  if (match.kind === 'exact') return match.host === host;
  if (match.kind === 'cidr' || !host.endsWith(match.suffix)) return false;
  const rest = host.slice(0, -match.suffix.length);
  return rest.length > 0 && (match.kind === 'any-depth' || !rest.includes('.'));
}

/** Whether the pattern is a CIDR that covers the address itself. */
export function coversAddress({ match }: Pattern, address: string): boolean {
  return match.kind === 'cidr' && inCidr(match, parseAddress(address));
}

/** Whether the pattern is a CIDR that covers the address or an IPv4 address embedded in it. */
export function touchesAddress({ match }: Pattern, address: string): boolean {
  return match.kind === 'cidr' && viewsOf(address).some((view) => inCidr(match, view));
}

function inCidr({ range, bits }: Cidr, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address instanceof ipaddr.IPv4) return range instanceof ipaddr.IPv4 && address.match(range, bits);
  return range instanceof ipaddr.IPv6 && address.match(range, bits);
}

/** First and last address of the block. */
export function endsOf({ range, bits }: Cidr): [string, string] {
  const type = range instanceof ipaddr.IPv4 ? ipaddr.IPv4 : ipaddr.IPv6;
  const bytes = range.toByteArray();
  const mask = bytes.map((_, index) => 0xff & (0xff << Math.max(0, Math.min(8, 8 * (index + 1) - bits))));
  const first = bytes.map((byte, index) => byte & (mask[index] ?? 0));
  const last = first.map((byte, index) => byte | (0xff & ~(mask[index] ?? 0)));
  return [new type(first).toString(), new type(last).toString()];
}

/** Whether the block is exactly one address. */
export function isSingle({ range, bits }: Cidr): boolean {
  return bits === (range instanceof ipaddr.IPv4 ? 32 : 128);
}
