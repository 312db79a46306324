/** Builds the responses of the gateway itself, each with a fix. Pure. */
import type { Endpoint } from '../address/canonical-host.ts';
import { authorityOf } from '../address/canonical-host.ts';
import { headBytes } from '../http/headers.ts';
import type { Verdict } from './policy.ts';
import { isServiceName, MCP, SIGNER } from './services.ts';

const REASON_PHRASES: Record<number, string> = {
  400: 'Bad Request',
  // Some programs show only the reason phrase, such as apt, and many behind a proxy.
  403: 'Forbidden by sbx',
  408: 'Request Timeout',
  421: 'Misdirected Request',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

export interface PlainResponse {
  status: number;
  text: string;
  /** The connection stays open */
  keepAlive?: boolean;
  /** Response to HEAD: without the text */
  bodiless?: boolean;
  /** The first line of the text goes into the status line, which is all that many programs show of a failed CONNECT */
  reasoned?: boolean;
}

export function plainResponse(response: PlainResponse): Buffer {
  const { status, text, keepAlive = false, bodiless = false, reasoned = false } = response;
  const body = Buffer.from(`${text}\n`);
  const phrase = REASON_PHRASES[status] ?? 'Error';
  const head = headBytes(`HTTP/1.1 ${status} ${reasoned ? `${phrase}: ${reasonIn(text)}` : phrase}`, [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(body.length)],
    ...(status === 403 ? [['x-sbx-denied', '1'] as [string, string]] : []),
    ['Connection', keepAlive ? 'keep-alive' : 'close'],
  ]);
  return bodiless ? head : Buffer.concat([head, body]);
}

const REASON_MAX = 160;

/** A guest and a server choose parts of it: one short line of ASCII. */
function reasonIn(text: string): string {
  const [line = ''] = text.replace(/^sbx: (denied: )?/, '').split('\n', 1);
  return line.replace(/[^\x20-\x7e]/g, '?').slice(0, REASON_MAX);
}

export function denialText(endpoint: Endpoint, verdict: Verdict): string {
  return `sbx: ${authorityOf(endpoint)} is denied: ${verdict.detail}.\n${fixFor(endpoint, verdict)}`;
}

/** How the user allows the request; the sandbox cannot do so. */
export function fixFor(endpoint: Endpoint, verdict: Verdict): string {
  const entry = entryFor(endpoint);
  const { rule } = verdict;
  const place = rule?.file === undefined ? '[network] of sandbox.toml' : `${rule.file}:${rule.line ?? 1}`;
  if (verdict.reason === 'default-deny' && endpoint.host === SIGNER.host)
    return 'To have commits signed by the ssh agent of the host, set sign = true under [git] in sandbox.toml and run: sbx apply';
  if (verdict.reason === 'default-deny' && endpoint.host === MCP.host)
    return 'To offer MCP servers of the host, add them to [mcp.servers] in sandbox.toml and run: sbx apply';
  if (verdict.reason === 'default-deny' && isServiceName(endpoint.host))
    return 'To offer a service of the host under this name, add it to [[services]] in sandbox.toml and run: sbx apply';
  if (verdict.reason === 'default-deny')
    return `To allow it, run on the host: sbx net allow ${entry} (with --for 1h, or --save to keep it), or add "${entry}" to [network] allow in sandbox.toml and run: sbx apply`;
  if (verdict.reason === 'deny-rule' && rule?.revoke !== undefined)
    return `A deny rule always wins. To remove it, run on the host: sbx net revoke ${rule.revoke}`;
  if (verdict.reason === 'deny-rule')
    return `A deny rule always wins. To allow it, remove it at ${place} and run: sbx apply`;
  if (verdict.reason === 'private-address')
    return 'An allowed name may not resolve to a private address. To allow it, add the address with its port to [network] allow in sandbox.toml and run: sbx apply';
  if (verdict.reason === 'http-rule')
    return `To allow it, add the method and path to [[network.http]] at ${place} and run: sbx apply`;
  if (verdict.reason === 'bad-request')
    return 'Write the path in its plain form, and send no header that overrides it.';
  if (verdict.reason === 'not-tls') return 'Use https://, or another port.';
  return 'Write the host as a name or an address in its usual form.';
}

/** The shortest allow entry that covers exactly this endpoint. */
function entryFor(endpoint: Endpoint): string {
  return endpoint.port === 443 ? authorityOf(endpoint).slice(0, -':443'.length) : authorityOf(endpoint);
}
