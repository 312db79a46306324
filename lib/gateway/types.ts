/** What the gateway is told and what it tells. */
export interface PolicyRule {
  /** `host`, `*.host`, `**.host`, IPv4/IPv6 literal or CIDR, each with an optional `:port` or `:from-to`; default port 443 */
  pattern: string;
  /** May resolve to private addresses: named by the host's own configuration */
  trusted?: boolean;
  /** As the user wrote it, for messages */
  text?: string;
  file?: string;
  line?: number;
}

export interface PolicyInput {
  allow: PolicyRule[];
  deny: PolicyRule[];
  /** Narrower than a host; enforced by interception */
  http?: { host: string; methods: string[]; paths: string[]; file?: string; line?: number }[];
}

/** One line of audit.jsonl. */
export interface AuditRecord {
  time: string;
  sandbox: string;
  verdict: 'allow' | 'deny' | 'error' | 'closed';
  /** Stable reason word: `rule`, `default-deny`, `private-address`, `bad-request`, `upstream-failed`, … */
  reason: string;
  /** Canonical host as asked for; capped and escaped when it is not canonical */
  host: string;
  port: number;
  method?: string;
  path?: string;
  /** The checked address that was dialled */
  address?: string;
  rule?: { text: string; file?: string; line?: number };
  bytesUp?: number;
  bytesDown?: number;
  durationMs?: number;
}
