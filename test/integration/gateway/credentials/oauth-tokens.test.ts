/** Logins that a guest brings about by itself, and WebSockets, at a host with a credential. */
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { bindingOf } from '../../../../lib/gateway/credentials/bindings.ts';
import { answering, type CredentialsRig, HOST, inPieces, OTHER, SECRET, startCredentials } from './rig.ts';

const ACCESS = 'REAL.access-0123456789abcdef';
const REFRESH = 'REAL.refresh/0123456789+abc';
const JSON_TYPE = 'Content-Type: application/json\r\n';
const TOKENS = JSON.stringify({ access_token: ACCESS, refresh_token: REFRESH, expires_in: 3600, name: 'Zoë' });

type Ask = [head: string, body?: string, host?: string];

const login = (serve = answering(TOKENS, JSON_TYPE)) => startCredentials({ serve });
const bodyOf = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4);

async function tokensOf(rig: CredentialsRig): Promise<{ access: string; refresh: string }> {
  const answer = JSON.parse(bodyOf(await rig.ask('POST /oauth/token', '{}'))) as Record<string, string>;
  return { access: answer['access_token'] ?? '', refresh: answer['refresh_token'] ?? '' };
}

describe('tokens of a login', () => {
  test('reach the guest as placeholders; the rest of the response is unchanged', async () => {
    await using one = await login(
      inPieces(
        JSON_TYPE,
        [...TOKENS].map((char) => Buffer.from(char).toString('latin1')),
      ),
    );
    const text = bodyOf(await one.ask('POST /oauth/token', '{}'));
    expect(text).not.toContain('REAL');
    const answer = JSON.parse(Buffer.from(text, 'latin1').toString()) as Record<string, unknown>;
    expect(answer).toMatchObject({ expires_in: 3600, name: 'Zoë' });
    expect(String(answer['access_token'])).toHaveLength(ACCESS.length);
  });

  test('are accepted in the login header and in a token exchange', async () => {
    await using one = await login();
    const { access, refresh } = await tokensOf(one);
    await one.ask(`GET /v1/me\nAuthorization: Bearer ${access}\nX-API-Key: foreign`);
    expect(one.intercept.received()).toContain(`Authorization: Bearer ${ACCESS}\r\n`);
    expect(one.intercept.received()).not.toContain('foreign');
    const form = `grant_type=refresh_token&refresh_token=${refresh}`;
    await one.ask('POST /oauth/token\nContent-Type: application/x-www-form-urlencoded', form);
    const real = `grant_type=refresh_token&refresh_token=${encodeURIComponent(REFRESH)}`;
    expect(one.intercept.received()).toContain(
      `Content-Length: ${real.length}\r\nConnection: keep-alive\r\n\r\n${real}`,
    );
    await one.ask('POST /oauth/token\nContent-Type: application/json', JSON.stringify({ refresh_token: refresh }));
    expect(one.intercept.received()).toContain(JSON.stringify({ refresh_token: REFRESH }));
    expect(JSON.stringify(one.intercept.rig.records())).not.toContain('REAL');
  });

  test('the same token keeps its placeholder, also in a response that repeats it', async () => {
    await using one = await login();
    const first = await tokensOf(one);
    expect(await tokensOf(one)).toEqual(first);
  });

  test.each([
    ['to another host', (access: string): Ask => [`GET /\nAuthorization: Bearer ${access}`, '', OTHER]],
    [
      'to a host of another secret',
      (access: string): Ask => [`GET /\nAuthorization: Bearer ${access}`, '', 'git.wild.test'] as const,
    ],
    ['in the query', (access: string): Ask => [`GET /v1?x=${access}`]],
    ['in a body that is no exchange', (access: string): Ask => [`POST /v1\nContent-Type: text/plain`, access]],
  ])('are rejected %s', async (_name, ask) => {
    await using one = await login();
    const { access } = await tokensOf(one);
    expect(await one.ask(...ask(access))).toMatch(/^HTTP\/1\.1 403 /);
    expect(one.denied()).toEqual([expect.stringMatching(/^refused: placeholder of access_token /)]);
  });

  test('hosts that share a secret share its logins', async () => {
    const entry = { secret: 'sso', env: 'SSO', header: 'authorization', format: 'Bearer {}' };
    const bindings = [HOST, 'in.wild.test'].flatMap((host) => bindingOf({ ...entry, host }) ?? []);
    await using one = await startCredentials({ bindings, serve: answering(TOKENS, JSON_TYPE) });
    const { access } = await tokensOf(one);
    await one.ask(`GET /\nAuthorization: Bearer ${access}`, '', 'in.wild.test');
    expect(one.intercept.received()).toContain(`Authorization: Bearer ${ACCESS}\r\n`);
  });

  test('a response with tokens that is too long to be read is aborted', async () => {
    const long = `{"access_token":"${ACCESS}","filler":"${'x'.repeat(300_000)}"}`;
    await using one = await login(answering(long, JSON_TYPE));
    expect(await one.ask('POST /oauth/token', '{}')).not.toContain('REAL');
  });

  test('a long response without tokens is streamed', async () => {
    const long = JSON.stringify({ filler: 'x'.repeat(400_000) });
    await using one = await login(answering(long, JSON_TYPE));
    expect(bodyOf(await one.ask('GET /v1')) === long).toBe(true);
  });

  test('are found in unusual encodings', async () => {
    const odd = `{"access_token":"\\u0052EAL.access-0123456789abcdef", "refresh_token":"REAL.refresh\\/0123456789+abc"}`;
    await using one = await login(answering(odd, JSON_TYPE));
    const { access, refresh } = await tokensOf(one);
    await one.ask(`GET /v1\nAuthorization: Bearer ${access}`);
    expect(one.intercept.received()).toContain(`Bearer ${ACCESS}\r\n`);
    expect(refresh).not.toContain('REAL');
  });
});

describe('a WebSocket', () => {
  const ASK =
    'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const SWITCHED =
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Echo: ' +
    `${SECRET}\r\n\r\n`;
  const talks = (socket: Socket) =>
    void socket.once('data', () => {
      socket.write(`${SWITCHED}early ${SECRET} `);
      socket.on('data', () => socket.write(`again ${SECRET}s`));
    });

  test('gets the secret in its handshake, and the secret is masked in its messages', async () => {
    await using one = await startCredentials({ serve: talks });
    const client = await one.intercept.inside();
    client.send(`GET /v1/ws HTTP/1.1\r\nHost: ${HOST}\r\nx-api-key: ${one.mine.key}\r\n${ASK}\r\n`);
    await client.until('early ');
    expect(one.intercept.received()).toContain(`x-api-key: ${SECRET}\r\n`);
    expect(one.intercept.received()).not.toContain('permessage-deflate');
    client.send('more');
    const text = await client.until(`again ${one.mine.key}s`);
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    expect(text).not.toContain('REAL');
  });

  test('with the placeholder of another sandbox is denied', async () => {
    await using one = await startCredentials({ serve: talks });
    const client = await one.intercept.inside();
    client.send(`GET /v1/ws HTTP/1.1\r\nHost: ${HOST}\r\nx-api-key: ${one.theirs}\r\n${ASK}\r\n`);
    await client.until('403 Forbidden');
    expect(one.untouched()).toBe(true);
  });
});
