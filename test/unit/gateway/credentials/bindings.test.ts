import { describe, expect, test } from 'vitest';
import {
  bindingOf,
  headerValue,
  type Loaded,
  matchingCredentials,
} from '../../../../lib/gateway/credentials/bindings.ts';
import { isLoginLike, keyInQuery } from '../../../../lib/gateway/credentials/login-names.ts';
import { bodyKindOf, tokensIn } from '../../../../lib/gateway/credentials/oauth-tokens.ts';

const entry = { secret: 'k', env: 'K', host: 'api.test', header: 'x-api-key', format: '{}' };
const loaded = (env: string, header: string): Loaded => ({
  binding: { ...entry, env, header, port: 443 },
  value: env.toLowerCase(),
});
const placeholder = (label: string) => ({ text: label, sandbox: 'box', label });

describe('a binding', () => {
  test.each([
    ['api.test', 'api.test', 443],
    ['API.test:8443', 'api.test', 8443],
    ['10.0.0.1:80', '10.0.0.1', 80],
    ['fd00::1', 'fd00::1', 443],
    ['[fd00:0::1]:8443', 'fd00::1', 8443],
  ])('%s is one host and port', (host, canonical, port) => {
    expect(bindingOf({ ...entry, host })).toMatchObject({ host: canonical, port });
  });

  test.each([
    ['Bearer {}', 'Bearer s$&'],
    ['{}', 's$&'],
    ['token {}', 'token s$&'],
    ['Basic x-access-token:{}', `Basic ${Buffer.from('x-access-token:s$&').toString('base64')}`],
    ['Basic {}', `Basic ${Buffer.from('s$&').toString('base64')}`],
  ])('the format %s', (format, value) => expect(headerValue(format, 's$&')).toBe(value));
});

describe('who speaks', () => {
  const all = [loaded('KEY', 'x-api-key'), loaded('TOKEN', 'authorization'), loaded('OTHER', 'authorization')];
  const names = (carried: string[]) =>
    matchingCredentials(all, carried.map(placeholder)).map(({ binding }) => binding.env);

  test('without a placeholder the first one', () => expect(names([])).toEqual(['KEY']));
  test('with placeholders theirs, one for each header', () => {
    expect(names(['TOKEN'])).toEqual(['TOKEN']);
    expect(names(['OTHER', 'KEY'])).toEqual(['KEY', 'OTHER']);
    expect(names(['OTHER', 'TOKEN'])).toEqual(['TOKEN']);
  });
  test('a placeholder of something else counts for nothing', () => expect(names(['GONE'])).toEqual(['KEY']));
});

describe('a key in the query', () => {
  test.each([
    ['/v1?key=AIza', 'key'],
    ['/v1?a=b&API_KEY=x', 'api_key'],
    ['/v1?a=b;access_token=x=y', 'access_token'],
    ['/v1?%6bey=x', 'key'],
    ['/v1?token=x', 'token'],
    ['/v1?a=b&Auth-Token=x', 'auth-token'],
    ['/v1?apiKey=x', 'apikey'],
    ['/v1?token[]=x', 'token[]'],
    ['/v1?a=b?token=x', 'token'],
    ['/v1?client_secret=x', 'client_secret'],
    ['/v1?X-Amz-Signature=x', 'x-amz-signature'],
  ])('%s', (target, name) => expect(keyInQuery(target)).toBe(name));

  test.each([
    '/v1',
    '/key=x',
    '/v1?key=',
    '/v1?monkey=x',
    '/v1?pageToken=x',
    '/v1?q=key',
    '/v1?max_tokens=5',
    '/m?sessionId=x',
  ])('%s has none', (target) => expect(keyInQuery(target)).toBeUndefined());
});

describe('a header that could be a login', () => {
  test.each([
    'X-Api-Token',
    'X_API_KEY',
    'X.Auth.Token',
    'Cookie2',
    'X-Session-Token',
    'X-Client-Secret',
    'Ocp-Apim-Subscription-Key',
    'X-Amz-Security-Token',
    'X-Forwarded-User',
    'Remote_User',
    'X-JWT-Assertion',
    'Authentication',
    'X-Password',
  ])('%s', (name) => expect(isLoginLike(name)).toBe(true));

  test.each([
    'Accept',
    'X-Author',
    'Idempotency-Key',
    'session_id',
    'Mcp-Session-Id',
    'X-Claude-Code-Session-Id',
    'Sec-WebSocket-Key',
    'anthropic-beta',
    'X-Max-Tokens',
    'Content-Type',
    'OpenAI-Organization',
    'X-Monkey',
  ])('is not %s', (name) => expect(isLoginLike(name)).toBe(false));
});

describe('tokens of an answer', () => {
  const access = 'a'.repeat(20);
  test('in JSON, at any usual depth, and in a form', () => {
    expect(tokensIn(`{"access_token":"${access}","expires_in":3600}`, 'json')).toEqual([
      { field: 'access_token', value: access },
    ]);
    expect(tokensIn(`{"data":{"id_token":"${access}"}}`, 'json')).toEqual([{ field: 'id_token', value: access }]);
    expect(tokensIn(`access_token=${access}&scope=a`, 'form')).toEqual([{ field: 'access_token', value: access }]);
  });
  test('what is none is left alone', () => {
    for (const text of [
      '',
      'not json access_token',
      '{"access_token":5}',
      '{"access_token":"short"}',
      '"access_token"',
    ])
      expect(tokensIn(text, 'json')).toEqual([]);
  });
  test('by their type', () => {
    expect(bodyKindOf('application/json; charset=utf-8')).toBe('json');
    expect(bodyKindOf('application/problem+json')).toBe('json');
    expect(bodyKindOf('application/x-www-form-urlencoded')).toBe('form');
    for (const type of [undefined, 'text/plain', 'text/event-stream']) expect(bodyKindOf(type)).toBeUndefined();
  });
});
