/** Filters audit records by verdict and host. Pure. */
import { canonicalHost } from '../address/canonical-host.ts';
import { coversAddress, coversName, parsePattern } from '../policy/pattern.ts';
import type { AuditRecord } from '../policy/types.ts';

export interface AuditFilter {
  /** Only requests that are denied, or would be in mode `enforce` */
  denied: boolean;
  /** `host`, `*.host`, `**.host`, an address or CIDR, each with an optional port */
  host?: string | undefined;
}

/** Undefined: `host` is malformed. */
export function auditFilter({ denied, host }: AuditFilter): ((record: AuditRecord) => boolean) | undefined {
  const pattern = host === undefined ? undefined : parsePattern(host.toLowerCase());
  if (host !== undefined && pattern === undefined) return undefined;
  return (record) => {
    if (denied && record.verdict !== 'deny' && record.verdict !== 'observe') return false;
    if (pattern === undefined) return true;
    const { ports } = pattern;
    if (ports !== undefined && (record.port < ports.from || record.port > ports.to)) return false;
    const named = canonicalHost(record.host.includes(':') ? `[${record.host}]` : record.host);
    const addresses = [...(named?.kind === 'address' ? [named.host] : []), ...(record.address ? [record.address] : [])];
    return (
      (named?.kind === 'name' && coversName(pattern, named.host)) ||
      addresses.some((address) => coversAddress(pattern, address))
    );
  };
}
