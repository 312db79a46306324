/** Input and audit types of the gateway. */
import type { ServiceTarget } from '../../spec/spec.ts';

/** `guestFolders`: a socket is not dialled through a path in one of them. */
export type DialledService =
  | Exclude<ServiceTarget, { path: string }>
  | { path: string; guestFolders: string[] }
  /** The filter before the ssh agent of the host, of the sandbox's own */
  | { signer: true }
  /** The MCP gateway of the sandbox's own */
  | { mcp: true };

export interface PolicyRule {
  /** `host`, `*.host`, `**.host`, IPv4/IPv6 literal or CIDR, each with an optional `:port` or `:from-to`; without a port an allow rule means 443, a deny rule every port */
  pattern: string;
  /** May resolve to private addresses: named by the host's own configuration */
  trusted?: boolean;
  /** End of the rule: ms since 1970, on the host's clock */
  until?: number;
  /** An allow rule for this service of the host, which is dialled instead of an address of the name */
  service?: DialledService;
  /** As the user wrote it, for messages */
  text?: string;
  /** What `sbx net revoke` takes to remove it; undefined: it is not from the command line */
  revoke?: string;
  file?: string;
  line?: number;
}

export interface PolicyInput {
  /** `observe`: requests that no rule covers are allowed and recorded; deny rules and private addresses stay denied */
  mode?: 'enforce' | 'observe';
  allow: PolicyRule[];
  deny: PolicyRule[];
  /** Bytes per second in each direction, for all connections together; undefined: no limit */
  bandwidth?: number;
  /** Rules that narrow hosts covered by `allow`; enforced by interception */
  http?: HttpPolicyRule[];
}

/** If any rule covers the host, one must match. */
export interface HttpPolicyRule {
  /** One host, optionally with a port; without a port, all ports */
  host: string;
  /** Empty: all */
  methods: string[];
  /** `*` within a segment, `**` anything; empty: all */
  paths: string[];
  file?: string;
  line?: number;
}

/** One line of audit.jsonl. */
export interface AuditRecord {
  time: string;
  sandbox: string;
  /** `observe`: allowed, although `enforce` would deny it. `closed`: the end of an allowed request */
  verdict: 'allow' | 'observe' | 'deny' | 'error' | 'closed';
  /** Stable reason word, one of `AuditReason` */
  reason: AuditReason;
  /** Human-readable sentence that adds to the reason */
  detail?: string;
  /** Requested host; capped and escaped if it is not canonical */
  host: string;
  port: number;
  method?: string;
  path?: string;
  /** The checked address (`allow`: the first one, `closed`: the one that answered, `deny`: the denied one) */
  address?: string;
  rule?: { text: string; file?: string; line?: number };
  bytesUp?: number;
  bytesDown?: number;
  durationMs?: number;
  /** Number of denials in this record, if there were too many for one each */
  count?: number;
}

export type AuditReason =
  /** Allowed by `rule`; also the end of such a connection */
  | 'rule'
  /** No rule covers it: denied, or allowed by mode `observe` */
  | 'default-deny'
  | 'deny-rule'
  | 'private-address'
  | 'odd-address'
  /** Not TLS with the server name of the requested host */
  | 'server-name'
  /** No HTTP rule covers it */
  | 'http-rule'
  /** Plain HTTP to port 443 */
  | 'not-tls'
  | 'bad-request'
  /** Inside a tunnel: a request for another host than the tunnel's */
  | 'misdirected'
  /** Inside a tunnel: the client ended the TLS handshake, or does not trust the sandbox's CA */
  | 'client-tls'
  /** Denied by the inspector; `detail` has its reason */
  | 'refused'
  /** Too many bytes before the verdict */
  | 'early-data'
  | 'head-timeout'
  | 'too-many-connections'
  /** One record for many denials of one second; `detail` lists their reasons */
  | 'log-rate'
  /** The policy became narrower while the connection was open */
  | 'policy-changed'
  /** The gateway closed the sandbox's listener */
  | 'proxy-closed'
  | 'idle'
  | 'unresolved'
  | 'upstream-failed'
  /** The log could not be written; only the client sees this */
  | 'audit-unavailable';
