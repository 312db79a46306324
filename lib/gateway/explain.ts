/** `sbx net check`: the verdict on an address, offline, by the very code that decides. Pure. */
import { cureFor } from './answers.ts';
import { type Endpoint, parseAuthority } from './canonical-host.ts';
import { decide, decideAddress, type Policy, type Verdict } from './policy.ts';

export interface Explanation extends Verdict {
  host: string;
  port: number;
  /** What would allow it; for an allowed name, what is still checked when it is used */
  hint: string;
}

const PORTS: Record<string, number> = { https: 443, wss: 443, http: 80, ws: 80, ssh: 22, git: 9418, ftp: 21 };

/** `https://host/path`, `host:port` or `host`. Undefined when it is none of these. */
export function checkUrl(policy: Policy, text: string): Explanation | undefined {
  const asked = parseAddress(text);
  if (asked === undefined) return undefined;
  const { endpoint, purpose } = asked;
  const byName = decide(policy, endpoint, purpose);
  const verdict =
    byName.allow && endpoint.kind === 'address'
      ? decideAddress(policy, { verdict: byName, address: endpoint.host, port: endpoint.port, own: [] })
      : byName;
  const hint = verdict.allow ? allowedHint(endpoint, verdict) : cureFor(endpoint, verdict);
  return { ...verdict, host: endpoint.host, port: endpoint.port, hint };
}

function parseAddress(text: string): { endpoint: Endpoint; purpose: 'tunnel' | 'http' } | undefined {
  const [, scheme, authority = ''] = /^(?:([a-z]+):\/\/)?([^/?#]*)/i.exec(text) ?? [];
  const name = scheme?.toLowerCase() ?? 'https';
  const port = PORTS[name];
  // A user's name says nothing about the host, and in a request it would be refused.
  const host = scheme === undefined ? authority : authority.replace(/^[^@]*@/, '');
  const endpoint = port === undefined ? undefined : parseAuthority(host, port);
  return endpoint === undefined ? undefined : { endpoint, purpose: name === 'http' ? 'http' : 'tunnel' };
}

function allowedHint(endpoint: Endpoint, verdict: Verdict): string {
  if (verdict.reason !== 'rule') return '`sbx net suggest` names the rule to add before the mode is "enforce" again.';
  if (endpoint.kind === 'address') return 'Whether it is an address of this host is checked when it is used.';
  return verdict.rule?.trusted === true
    ? 'Named by the configuration of this host: it may lead to a private address.'
    : 'Its addresses are checked when it is used: private ones need a rule of their own.';
}
