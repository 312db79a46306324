/** Names of headers and query parameters by which requests log in. Pure. */

/** Login headers of any API: a placeholder is accepted in them. */
const LOGINS = [
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-auth-token',
  'x-access-token',
  'private-token',
  'job-token',
  'cookie',
];

/** The name as servers compare it that make no difference between `-`, `_` and other separators. */
export function headerName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** `named`: headers of the credentials in the file. */
export function loginHeaders(named: readonly string[]): Set<string> {
  return new Set([...LOGINS, ...named.map(headerName)]);
}

/** Whether the name is like that of a login. Such a header may be the login of another account. */
export function isLoginLike(name: string): boolean {
  const plain = headerName(name);
  if (HARMLESS.has(plain) || CONVERSATION.test(plain)) return false;
  return LIKE.test(plain) || USERS.has(plain);
}

/** As coding agents number their conversations: `x-NAME-code-session-id` */
const CONVERSATION = /^x-[a-z]+-code-session-id$/;

const LIKE =
  /auth(?!or(?!i[sz]))|token(?!s)|secret|passw|passphrase|credential|cookie|session|jwt|bearer|signature|api-?key|access-?key|(^|-)(key|pwd|otp|sid|sso|assertion)(-|$)/;

/** By which a proxy in front of a server names the user */
const USERS: ReadonlySet<string> = new Set(
  ['', 'x-', 'x-forwarded-', 'x-webauth-', 'x-ssl-client-'].flatMap((before) =>
    ['remote-user', 'user', 'username', 'email', 's-dn', 'verify', 'cert'].map((name) => before + name),
  ),
);

/** Identify a request or a conversation, and no account; documented in `docs/credentials.md` */
const HARMLESS: ReadonlySet<string> = new Set([
  'sec-websocket-key',
  'idempotency-key',
  'x-idempotency-key',
  'mcp-session-id',
  'session-id',
  'x-session-id',
]);

/** Query parameters that log in, without separators; session ids of conversations are not among them */
const KEY_PARAMETERS: ReadonlySet<string> = new Set(
  [
    'key apikey xapikey xgoogapikey appkey accesskey secretkey privatekey authkey userkey devkey consumerkey subscriptionkey',
    'ocpapimsubscriptionkey sharedkey sessionkey token apitoken accesstoken oauthtoken authtoken authenticationtoken idtoken refreshtoken',
    'usertoken privatetoken jobtoken personaltoken personalaccesstoken sessiontoken securitytoken bearertoken xaccesstoken xauthtoken',
    'bearer jwt auth authorization xauthorization oauth secret clientsecret appsecret apisecret password passwd passphrase pwd pass',
    'credential credentials sig signature xamzsignature xamzcredential xamzsecuritytoken xgoogsignature xgoogcredential',
    'awsaccesskeyid googleaccessid assertion clientassertion otp',
  ]
    .join(' ')
    .split(' '),
);

/** Name of a query parameter that holds a key, possibly of another account. */
export function keyInQuery(target: string): string | undefined {
  const query = target.split(/\?(.*)/s)[1] ?? '';
  return query
    .split(/[&;?]/)
    .map((part) => part.split(/=(.*)/s))
    .filter(([, value = '']) => value !== '')
    .map(([name = '']) => percentDecoded(name).toLowerCase())
    .find((name) => KEY_PARAMETERS.has(name.replace(/\[.*$/s, '').replace(/[^a-z0-9]/g, '')));
}

/** Decodes once: servers do not decode twice either. */
export function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Ask for a part of the response, or for it under a condition: a secret that it repeats could be read piece by piece */
const PARTS: ReadonlySet<string> = new Set([
  'range',
  'request-range',
  'x-range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
]);

const CONDITIONS = /^if-/;

/** Whether the header makes the response a part, or depends on its content. */
export function asksForPart(name: string): boolean {
  return PARTS.has(headerName(name));
}

/** Name of a condition that protects a change, which must not be dropped silently. */
export function conditionOnChange(method: string, names: readonly string[]): string | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined;
  return names.find((name) => asksForPart(name) && CONDITIONS.test(headerName(name)));
}
