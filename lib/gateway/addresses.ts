/** Which addresses no name may lead to: everything that is not plainly a public unicast address. Pure. */
import ipaddr from 'ipaddr.js';

/** Cloud metadata and platform services off the link-local range */
const METADATA = ['168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254'];

/** The reason word of a refused address, or undefined for a public one. `own`: addresses of this host. */
export function refusedAddress(address: string, own: readonly string[]): string | undefined {
  if (!ipaddr.isValid(address)) return 'not an address';
  const parsed = ipaddr.process(address);
  const text = parsed.toString();
  if (METADATA.includes(text)) return 'a cloud metadata address';
  if (own.includes(text)) return "one of the host's own addresses";
  const range = parsed.range();
  if (range !== 'unicast') return `a ${range} address`;
  if (parsed.kind() === 'ipv6') return refusedIpv6(parsed as ipaddr.IPv6, own);
  return undefined;
}

/** IPv6 forms that carry an IPv4 address are judged by that one; only 2000::/3 is global at all. */
function refusedIpv6(address: ipaddr.IPv6, own: readonly string[]): string | undefined {
  const bytes = address.toByteArray();
  if (bytes.slice(0, 12).every((byte) => byte === 0)) return 'an IPv4-compatible address';
  const carried = embeddedIpv4(bytes);
  if (carried !== undefined)
    return refusedAddress(carried, own) === undefined ? undefined : `an address that carries ${carried}`;
  return ((bytes[0] ?? 0) & 0xe0) === 0x20 ? undefined : 'not a global address';
}

function embeddedIpv4(bytes: number[]): string | undefined {
  const prefix = bytes
    .slice(0, 2)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  if (prefix === '2002') return bytes.slice(2, 6).join('.');
  if (prefix === '0064' && bytes[2] === 0xff && bytes[3] === 0x9b) return bytes.slice(12).join('.');
  return undefined;
}
