/** Reads the host's own HTTP proxy from the usual variables. Pure. */

export interface HostProxy {
  host: string;
  port: number;
  /** Connect to the proxy with TLS */
  secure?: boolean;
  /** Value of Proxy-Authorization */
  authorization: string | undefined;
}

export interface ProxySettings {
  /** For tunnels */
  https?: HostProxy | undefined;
  /** For plain HTTP */
  http?: HostProxy | undefined;
  /** `*`, names with their subdomains, addresses; each with an optional port */
  none?: string[];
}

/** Lower-case variables win. Any other scheme than `http://` or `https://` is ignored: the gateway then dials directly. */
export function proxySettings(env: NodeJS.ProcessEnv): ProxySettings {
  const of = (name: string) => env[name] || env[name.toUpperCase()] || undefined;
  const all = of('all_proxy');
  return {
    https: parseProxy(of('https_proxy') ?? all),
    http: parseProxy(of('http_proxy') ?? all),
    none: (of('no_proxy') ?? '')
      .toLowerCase()
      .split(/[\s,]+/)
      .filter((entry) => entry !== ''),
  };
}

function parseProxy(text: string | undefined): HostProxy | undefined {
  const address = text === undefined || text.includes('://') ? text : `http://${text}`;
  if (address === undefined || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  const secure = url.protocol === 'https:';
  if ((url.protocol !== 'http:' && !secure) || url.hostname === '') return undefined;
  const login = [url.username, url.password].map(decodeURIComponent).join(':');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    ...(secure ? { secure } : {}),
    authorization: login === ':' ? undefined : `Basic ${Buffer.from(login).toString('base64')}`,
  };
}

export interface ProxyQuestion {
  host: string;
  port: number;
  /** `http`: one plain request, forwarded in absolute form */
  purpose: 'tunnel' | 'http';
}

/** The proxy for a destination; undefined: dial directly. */
export function proxyFor(settings: ProxySettings, { host, port, purpose }: ProxyQuestion): HostProxy | undefined {
  const proxy = purpose === 'http' ? settings.http : settings.https;
  if (proxy === undefined || isLocal(host)) return undefined;
  return (settings.none ?? []).some((entry) => excludes(entry, host, port)) ? undefined : proxy;
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || host.startsWith('127.');
}

function excludes(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  const [, name = '', only] = /^(\[[^\]]+\]|[^:]*|[0-9a-f:]+)(?::(\d+))?$/.exec(entry) ?? [];
  if (only !== undefined && Number(only) !== port) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
  return bare !== '' && (host === bare || host.endsWith(`.${bare}`));
}
