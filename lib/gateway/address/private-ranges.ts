/** Classifies addresses that a name may not resolve to: all but public unicast. Pure. */
import ipaddr from 'ipaddr.js';
import { isAddress, parseAddress } from './canonical-host.ts';

/** Cloud metadata and platform services, on and off the link-local range */
const METADATA = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd20:ce::254',
]);

/** Parts of 2000::/3 that are not public unicast: protocol assignments with Teredo, 6to4, documentation */
const NOT_GLOBAL_V6 = (['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'] as const).map((text) =>
  ipaddr.IPv6.parseCIDR(text),
);

export interface AddressDenial {
  /** An allow rule for exactly this address permits `metadata` and `own`; one within the range permits `range` */
  kind: 'metadata' | 'own' | 'range';
  /** Name of the range */
  range: string;
  /** Human-readable noun phrase */
  what: string;
}

/** Undefined for a public address. `own`: canonical addresses of this host. */
export function addressDenial(address: string, own: readonly string[]): AddressDenial | undefined {
  if (!isAddress(address)) return { kind: 'range', range: 'invalid', what: 'not an address' };
  const parsed = parseAddress(address);
  const text = parsed.toString();
  if (METADATA.has(text)) return { kind: 'metadata', range: 'metadata', what: 'a cloud metadata address' };
  if (own.includes(text)) return { kind: 'own', range: 'own', what: "one of the host's own addresses" };
  const range = rangeOf(parsed);
  return range === undefined ? undefined : { kind: 'range', range, what: `in the ${range} range` };
}

function rangeOf(parsed: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  const range = parsed.range();
  if (range !== 'unicast') return range;
  if (parsed instanceof ipaddr.IPv4) return undefined;
  const bytes = parsed.toByteArray();
  if (bytes.slice(0, 12).every((byte) => byte === 0)) return 'IPv4-compatible';
  if (((bytes[0] ?? 0) & 0xe0) !== 0x20) return 'not global';
  if (NOT_GLOBAL_V6.some(([net, bits]) => parsed.match(net, bits))) return 'not global';
  return isIsatap(bytes) ? 'ISATAP' : undefined;
}

/** `…:0:5efe:a.b.c.d`: a tunnel to an IPv4 address, with any prefix. */
function isIsatap(bytes: number[]): boolean {
  return (bytes[8] === 0 || bytes[8] === 2) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
}

/** The address and every IPv4 address embedded in it: a deny rule applies to all of them. */
export function viewsOf(address: string): (ipaddr.IPv4 | ipaddr.IPv6)[] {
  const parsed = parseAddress(address);
  if (parsed instanceof ipaddr.IPv4) return [parsed];
  const bytes = parsed.toByteArray();
  const at = (from: number, flip = 0) => new ipaddr.IPv4(bytes.slice(from, from + 4).map((byte) => byte ^ flip));
  const starts = (...prefix: number[]) => prefix.every((byte, index) => bytes[index] === byte);
  if (starts(0x20, 0x02)) return [parsed, at(2)];
  if (starts(0x20, 0x01, 0, 0)) return [parsed, at(4), at(12, 0xff)];
  const last = starts(0x00, 0x64, 0xff, 0x9b) || bytes.slice(0, 8).every((byte) => byte === 0) || isIsatap(bytes);
  return last ? [parsed, at(12)] : [parsed];
}
