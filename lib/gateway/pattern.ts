/** Patterns of the allow and deny lists. Pure. */
import ipaddr from 'ipaddr.js';
import { canonicalHost, parsePort } from './host.ts';

export interface Pattern {
  match:
    | { kind: 'exact'; host: string }
    | { kind: 'one-label' | 'any-depth'; suffix: string }
    | { kind: 'cidr'; range: ipaddr.IPv4 | ipaddr.IPv6; bits: number };
  ports: { from: number; to: number };
}

const DEFAULT_PORT = 443;

/** `host`, `*.host`, `**.host`, an address or CIDR (IPv6 in brackets when a port follows), then `:port` or `:from-to`. Undefined when it is none of these. */
export function parsePattern(text: string): Pattern | undefined {
  const parts = splitPorts(text);
  if (parts === undefined) return undefined;
  const match = parseMatch(parts.host);
  return match === undefined ? undefined : { match, ports: parts.ports };
}

function splitPorts(text: string): { host: string; ports: Pattern['ports'] } | undefined {
  const defaults = { from: DEFAULT_PORT, to: DEFAULT_PORT };
  const bracket = /^\[([^\]]*)\](\/\d+)?(?::(.+))?$/.exec(text);
  if (bracket !== null) {
    const ports = bracket[3] === undefined ? defaults : parsePorts(bracket[3]);
    return ports === undefined ? undefined : { host: `${bracket[1]}${bracket[2] ?? ''}`, ports };
  }
  if (text.split(':').length > 2) return { host: text, ports: defaults };
  const [host = '', port] = text.split(':');
  const ports = port === undefined ? defaults : parsePorts(port);
  return ports === undefined ? undefined : { host, ports };
}

function parsePorts(text: string): Pattern['ports'] | undefined {
  const [first = '', last] = text.split('-');
  const from = parsePort(first);
  const to = last === undefined ? from : parsePort(last);
  return from === undefined || to === undefined || from > to || text.split('-').length > 2 ? undefined : { from, to };
}

function parseMatch(host: string): Pattern['match'] | undefined {
  const wildcard = /^(\*\*?)\.(.+)$/.exec(host);
  if (wildcard !== null) {
    const suffix = canonicalHost(wildcard[2] ?? '');
    if (suffix === undefined || suffix.literal) return undefined;
    return { kind: wildcard[1] === '*' ? 'one-label' : 'any-depth', suffix: `.${suffix.host}` };
  }
  const cidr = parseCidr(host);
  if (cidr !== undefined) return cidr;
  const exact = canonicalHost(host);
  return exact === undefined || exact.literal ? undefined : { kind: 'exact', host: exact.host };
}

function parseCidr(text: string): Pattern['match'] | undefined {
  const [address = '', length, ...more] = text.split('/');
  const v4 = ipaddr.IPv4.isValidFourPartDecimal(address);
  if (more.length > 0 || address.includes('%') || (!v4 && !(address.includes(':') && ipaddr.IPv6.isValid(address))))
    return undefined;
  const range = ipaddr.parse(address);
  const most = range.kind() === 'ipv4' ? 32 : 128;
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const bits = length === undefined ? most : Number(length);
  if (bits > most) return undefined;
  // Addresses are compared in their IPv4 form, so a range of mapped ones is brought to it too.
  if (range instanceof ipaddr.IPv6 && range.isIPv4MappedAddress() && bits >= 96)
    return { kind: 'cidr', range: range.toIPv4Address(), bits: bits - 96 };
  return { kind: 'cidr', range, bits };
}

/** Whether the pattern covers a canonical name. */
export function coversName(pattern: Pattern, host: string, port: number): boolean {
  if (port < pattern.ports.from || port > pattern.ports.to) return false;
  const { match } = pattern;
  if (match.kind === 'exact') return match.host === host;
  if (match.kind === 'cidr' || !host.endsWith(match.suffix)) return false;
  const rest = host.slice(0, -match.suffix.length);
  return rest.length > 0 && (match.kind === 'any-depth' || !rest.includes('.'));
}

/** Whether the pattern is a CIDR that covers an address, also one written as an IPv4-mapped IPv6 address. */
export function coversAddress(pattern: Pattern, address: string, port: number): boolean {
  const { match } = pattern;
  if (match.kind !== 'cidr' || port < pattern.ports.from || port > pattern.ports.to) return false;
  const parsed = ipaddr.process(address);
  if (parsed.kind() !== match.range.kind()) return false;
  return parsed.kind() === 'ipv4'
    ? (parsed as ipaddr.IPv4).match(match.range as ipaddr.IPv4, match.bits)
    : (parsed as ipaddr.IPv6).match(match.range as ipaddr.IPv6, match.bits);
}
