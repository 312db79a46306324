/** Explains the verdict on a URL for `sbx net check`, with the code that the gateway uses. Pure. */

import { type Endpoint, parseAuthority } from '../address/canonical-host.ts';
import { fixFor } from './denial-text.ts';
import { decide, decideAddress, decideRequest, type Policy, readsRequests, type Verdict } from './policy.ts';

export interface Explanation extends Verdict {
  host: string;
  port: number;
  /** How to allow it; for an allowed name, what is still checked at the request */
  hint: string;
}

const PORTS: Record<string, number> = { https: 443, wss: 443, http: 80, ws: 80, ssh: 22, git: 9418, ftp: 21 };

/** `text`: `https://host/path`, `host:port` or `host`. Undefined: it is none of these. */
export function checkUrl(policy: Policy, text: string, method = 'GET'): Explanation | undefined {
  const asked = parseAddress(text);
  if (asked === undefined) return undefined;
  const { endpoint, purpose, target } = asked;
  const byName = decide(policy, endpoint, purpose);
  const byAddress =
    byName.allow && endpoint.kind === 'address'
      ? decideAddress(policy, { verdict: byName, address: endpoint.host, port: endpoint.port, own: [] })
      : byName;
  const verdict =
    byAddress.allow && target !== undefined
      ? decideRequest(policy, endpoint, { method, target }, byAddress)
      : byAddress;
  const unsaid = target === undefined && readsRequests(policy, endpoint);
  const hint = verdict.allow ? (unsaid ? UNSAID : allowedHint(endpoint, byName)) : fixFor(endpoint, verdict);
  return { ...verdict, host: endpoint.host, port: endpoint.port, hint };
}

const UNSAID = 'Its requests are decided by method and path: pass a full URL and --method.';

interface Asked {
  endpoint: Endpoint;
  purpose: 'tunnel' | 'http';
  /** Path and query; undefined: none was given */
  target: string | undefined;
}

function parseAddress(text: string): Asked | undefined {
  const [, scheme, authority = '', rest = ''] = /^(?:([a-z]+):\/\/)?([^/?#]*)([^#]*)/i.exec(text) ?? [];
  const name = scheme?.toLowerCase() ?? 'https';
  const port = PORTS[name];
  // Userinfo is not part of the host; in a real request it would be rejected.
  const host = scheme === undefined ? authority : authority.replace(/^[^@]*@/, '');
  const endpoint = port === undefined ? undefined : parseAuthority(host, port);
  if (endpoint === undefined) return undefined;
  const target = rest === '' ? undefined : rest.startsWith('/') ? rest : `/${rest}`;
  return { endpoint, purpose: name === 'http' ? 'http' : 'tunnel', target };
}

function allowedHint(endpoint: Endpoint, verdict: Verdict): string {
  if (verdict.reason !== 'rule') return '`sbx net suggest` names the rule to add before the mode is "enforce" again.';
  if (verdict.rule?.service !== undefined && 'mcp' in verdict.rule.service)
    return 'The MCP servers of [mcp.servers]: `sbx mcp ls` shows their tools.';
  if (verdict.rule?.service !== undefined) return 'A service of the host: [[services]] names where it is.';
  if (endpoint.kind === 'address') return 'Whether it is an address of this host is checked at the request.';
  return verdict.rule?.trusted === true
    ? 'Named by the configuration of this host: it may resolve to a private address.'
    : 'Its addresses are checked at the request: private ones need their own rule.';
}
