/** What the gateway is told and what it tells. */
export interface PolicyRule {
  /** `host`, `*.host`, `**.host`, IPv4/IPv6 literal or CIDR, each with an optional `:port` or `:from-to`; without one an allow rule means port 443, a deny rule every port */
  pattern: string;
  /** May resolve to private addresses: named by the host's own configuration */
  trusted?: boolean;
  /** An allow rule covers nothing from then on: ms since 1970, on the host's clock */
  until?: number;
  /** As the user wrote it, for messages */
  text?: string;
  file?: string;
  line?: number;
}

export interface PolicyInput {
  /** `observe`: what no rule covers is let out and recorded; deny rules and private addresses stay shut */
  mode?: 'enforce' | 'observe';
  allow: PolicyRule[];
  deny: PolicyRule[];
  /** Bytes a second each way, of all connections allOrAbort; undefined: no limit */
  bandwidth?: number;
  /** They narrow hosts that `allow` covers; enforced by interception */
  http?: HttpPolicyRule[];
}

/** One must match where any covers the host. */
export interface HttpPolicyRule {
  /** One host, optionally with a port; without one it means all */
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
  /** `observe`: let out, although `enforce` would have denied it. `closed`: the end of what was let out */
  verdict: 'allow' | 'observe' | 'deny' | 'error' | 'closed';
  /** Stable reason word, one of `AuditReason` */
  reason: AuditReason;
  /** Sentence for people, where the reason word is not all */
  detail?: string;
  /** Canonical host as asked for; capped and escaped when it is not canonical */
  host: string;
  port: number;
  method?: string;
  path?: string;
  /** The checked address (`allow`: the first one, `closed`: the one that answered, `deny`: the one that was refused) */
  address?: string;
  rule?: { text: string; file?: string; line?: number };
  bytesUp?: number;
  bytesDown?: number;
  durationMs?: number;
  /** Of refusals that one line stands for, when there were too many for a line each */
  count?: number;
}

export type AuditReason =
  /** Allowed by `rule`; also the end of such a connection */
  | 'rule'
  /** No rule covers it: denied, or let out by mode `observe` */
  | 'default-deny'
  | 'deny-rule'
  | 'private-address'
  | 'odd-address'
  /** TLS was expected, for the very host that was asked for */
  | 'server-name'
  /** No rule by method and path covers it */
  | 'http-rule'
  /** Plain HTTP to port 443 */
  | 'not-tls'
  | 'bad-request'
  /** Inside a tunnel: a request for another host than the tunnel's */
  | 'misdirected'
  /** Inside a tunnel: the client ended the TLS handshake, or does not trust the sandbox's CA */
  | 'client-tls'
  /** The inspector of requests refused it; `detail` has its own reason */
  | 'refused'
  /** Too many bytes before the verdict */
  | 'early-data'
  | 'head-timeout'
  | 'too-many-connections'
  /** One record for many denials of a second, of the reasons in `detail` */
  | 'log-rate'
  /** The policy became narrower while the connection was open */
  | 'policy-changed'
  /** The gateway shut the sandbox's door */
  | 'door-closed'
  | 'idle'
  | 'unresolved'
  | 'upstream-failed'
  /** The log could not be written: seen by the client only */
  | 'audit-unavailable';
