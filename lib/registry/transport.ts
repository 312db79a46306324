/** One HTTP request to a registry: redirects, retries, limits. Plain HTTP for the loopback only. */
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request as send } from 'undici';
import { SbxError } from '../errors.ts';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  url: URL;
  headers: Record<string, string>;
  /** A new one for each attempt. With a body that cannot be made twice: `attempts: 1` */
  body?: () => Dispatcher.DispatchOptions['body'];
  attempts?: number;
  signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Dispatcher.ResponseData['body'];
  /** The last one, after redirects */
  url: URL;
}

export interface TransportOptions {
  /** Milliseconds without a byte after which a connection is given up */
  stallMs?: number;
  /** Milliseconds before the first retry; each further one waits twice as long */
  retryMs?: number;
  attempts?: number;
}

/** MUST NOT send credentials to another origin than that of `url`. */
export type Transport = (request: HttpRequest) => Promise<HttpResponse>;

const STALL_MS = 30_000;
const RETRY_MS = 500;
const ATTEMPTS = 5;
const REDIRECTS = 5;
/** Longest wait that a registry may ask for */
const WAIT_MAX_MS = 60_000;
const RETRIED: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
const MOVED: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function createTransport(options: TransportOptions = {}): Transport {
  const { stallMs = STALL_MS, retryMs = RETRY_MS, attempts = ATTEMPTS } = options;
  const limits = {
    headersTimeout: stallMs,
    bodyTimeout: stallMs,
    connect: { timeout: stallMs },
    maxHeaderSize: 65_536,
  };
  const [direct, outside] = [new Agent(limits), new EnvHttpProxyAgent(limits)];
  const once = async (request: HttpRequest): Promise<HttpResponse> => {
    const { statusCode, headers, body } = await send(request.url, {
      method: request.method,
      headers: { 'user-agent': 'sbx', ...request.headers },
      body: request.body?.() ?? null,
      signal: request.signal ?? null,
      dispatcher: isLoopback(request.url) ? direct : outside,
    });
    return { status: statusCode, headers, body, url: request.url };
  };
  return async (request) => {
    for (let attempt = 1; ; attempt += 1) {
      const last = attempt >= (request.attempts ?? attempts);
      const answer = await followed(request, once).catch((error: unknown) => {
        request.signal?.throwIfAborted();
        if (last || error instanceof SbxError) throw unreachable(request.url, error);
        return undefined;
      });
      if (answer !== undefined && (last || !RETRIED.has(answer.status))) return answer;
      const asked = answer === undefined ? 0 : retryAfter(answer.headers['retry-after']);
      await answer?.body.dump().catch(() => {});
      await pause(Math.max(asked, retryMs * 2 ** (attempt - 1)), undefined, { signal: request.signal });
    }
  };
}

/** Follows redirects of reads. A write is answered where it was sent. */
async function followed(first: HttpRequest, once: Transport): Promise<HttpResponse> {
  let request = first;
  for (let hops = 0; ; hops += 1) {
    const answer = await once(request);
    const { location } = answer.headers;
    if (!MOVED.has(answer.status) || typeof location !== 'string' || !['GET', 'HEAD'].includes(request.method))
      return answer;
    await answer.body.dump().catch(() => {});
    if (hops === REDIRECTS) throw new SbxError('registry', `${first.url.host} redirects more than ${REDIRECTS} times`);
    request = { ...request, ...redirected(request, location) };
  }
}

/** Storage of blobs has a host of its own, which must not see the credentials. */
function redirected({ url, headers }: HttpRequest, location: string): Pick<HttpRequest, 'url' | 'headers'> {
  const target = locationOf(url, location);
  const { authorization, ...rest } = headers;
  const same = target.origin === url.origin && authorization !== undefined;
  return { url: target, headers: same ? { ...rest, authorization } : rest };
}

/** @throws SbxError `registry`: not a URL, or less protected than the one that named it. */
export function locationOf(from: URL, location: string): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const plain = isLoopback(from) && target !== undefined && isLoopback(target) && target.protocol === 'http:';
  if (target !== undefined && (plain || target.protocol === 'https:') && target.username === '') return target;
  throw new SbxError('registry', `${from.host} names an address that is not used`, {
    why: `${location.slice(0, 200)} is not an HTTPS URL`,
    hint: 'registries must use TLS; plain HTTP is for localhost only',
  });
}

/** `http:` for the loopback, `https:` for all other hosts. */
export function registryUrl(host: string, path: string): URL {
  const local = isLoopback(new URL(`http://${host}`));
  return new URL(path, `${local ? 'http' : 'https'}://${host}`);
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Seconds or a date. @returns milliseconds */
function retryAfter(value: string | string[] | undefined): number {
  if (typeof value !== 'string') return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), WAIT_MAX_MS);
}

function unreachable(url: URL, error: unknown): SbxError {
  if (error instanceof SbxError) return error;
  const why = error instanceof Error ? error.message || error.name : String(error);
  return new SbxError('registry', `no answer from ${url.host}`, {
    why,
    hint: 'check the name of the registry, the network and the proxy settings of this host',
    cause: error,
  });
}
