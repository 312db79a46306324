/** Adds credentials to requests: Basic, or a Bearer token from the address that the registry names. */
import { SbxError } from '../errors.ts';
import { bodyOf, refusal } from './answers.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Login, LoginOf } from './login.ts';
import { type HttpRequest, type HttpResponse, locationOf, type Transport } from './transport.ts';

export interface Access {
  /** Host of the registry or mirror */
  host: string;
  repository: string;
  actions: 'pull' | 'pull,push';
}

export type AuthorizedTransport = (access: Access, request: HttpRequest) => Promise<HttpResponse>;

const TOKEN_MAX = 1024 * 1024;

/** Tokens are kept in memory, for each registry, repository and right. */
export function createAuthorized(transport: Transport, loginOf: LoginOf): AuthorizedTransport {
  const known = new Map<string, string>();
  return async (access, request) => {
    const key = `${access.host} ${access.repository} ${access.actions}`;
    const held = known.get(key);
    const answer = await transport(withHeader(request, held));
    if (answer.status !== 401) return answer;
    // A storage host that denies is not to be logged in to.
    if (answer.url.origin !== request.url.origin) return answer;
    const challenges = parseChallenges(answer.headers['www-authenticate']);
    await answer.body.dump().catch(() => {});
    known.delete(key);
    const login = await loginOf(access.host);
    const header = await headerFor({ access, challenges, login, transport, request });
    if (header === undefined) throw loginRequired(access, login);
    const second = await transport(withHeader(request, header));
    if (second.status !== 401) known.set(key, header);
    return second;
  };
}

function withHeader(request: HttpRequest, authorization: string | undefined): HttpRequest {
  return authorization === undefined ? request : { ...request, headers: { ...request.headers, authorization } };
}

interface Asked {
  access: Access;
  challenges: Challenge[];
  login: Login | undefined;
  transport: Transport;
  request: HttpRequest;
}

async function headerFor({ challenges, login, ...asked }: Asked): Promise<string | undefined> {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return `Bearer ${await tokenOf({ ...asked, challenges: [bearer], login })}`;
  const basic = challenges.some(({ scheme }) => scheme === 'basic');
  return basic && login?.kind === 'password' ? basicOf(login) : undefined;
}

function basicOf({ user, password }: Extract<Login, { kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

async function tokenOf({ access, challenges, login, transport, request }: Asked): Promise<string> {
  const { realm = '', service } = challenges[0]?.parameters ?? {};
  if (!URL.canParse(realm)) throw noToken(request.url, 'it names no login server');
  const url = locationOf(request.url, realm);
  // The right that is needed, not the one that the registry asks for.
  const scope = `repository:${access.repository}:${access.actions}`;
  const fields = { ...(service === undefined ? {} : { service }), scope };
  const answer =
    login?.kind === 'token'
      ? await transport(refresh(url, { ...fields, refresh_token: login.token }, request.signal))
      : await transport({
          method: 'GET',
          url: withQuery(url, fields),
          headers: login === undefined ? {} : { authorization: basicOf(login) },
          signal: request.signal,
        });
  if (answer.status !== 200) throw await refusal(answer, `log in to ${access.host}`);
  return tokenIn(await bodyOf(answer, TOKEN_MAX), url);
}

function withQuery(url: URL, fields: Record<string, string>): URL {
  const full = new URL(url);
  for (const [name, value] of Object.entries(fields)) full.searchParams.set(name, value);
  return full;
}

function refresh(url: URL, fields: Record<string, string>, signal: AbortSignal | undefined): HttpRequest {
  const form = new URLSearchParams({ ...fields, grant_type: 'refresh_token', client_id: 'sbx' }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', url, headers, body: () => form, signal };
}

/** A token that is no header's value is none. */
function tokenIn(body: Buffer, url: URL): string {
  try {
    const { token, access_token } = JSON.parse(body.toString()) as { token?: unknown; access_token?: unknown };
    const found = token ?? access_token;
    if (typeof found === 'string' && /^[\x21-\x7e]+$/.test(found)) return found;
  } catch {
    // The same as no token.
  }
  throw noToken(url, 'its answer has no token');
}

function noToken({ host }: URL, why: string): SbxError {
  return new SbxError('registry', `no login at ${host}`, { why, hint: 'the registry or its login server is at fault' });
}

function loginRequired({ host, repository }: Access, login: Login | undefined): SbxError {
  return new SbxError('registry', `${host} requires a login for ${repository}`, {
    why: login === undefined ? 'no credentials are stored for it' : 'its way to log in is not supported',
    hint: `run \`docker login ${host}\` or \`podman login ${host}\`, or \`sbx secret set registry-${host.replace(':', '-')}\` with user:password`,
  });
}
