/** The cases of the credentials as data: each with the control that it rests on. */
import { expect } from 'vitest';
import type { CredentialEnforcement } from '../../../../lib/gateway/request/enforcement.ts';
import { answering, type CredentialsOptions, type CredentialsRig, HOST, inPieces, OTHER, SECRET } from './rig.ts';

export interface CredentialCase {
  name: string;
  control: keyof CredentialEnforcement;
  rig?: CredentialsOptions;
  /** Asserts all of it */
  run(rig: CredentialsRig): Promise<void>;
}

type Ask = (rig: CredentialsRig) => [head: string, body?: string, host?: string];

/** Denied: a clear text, one record, no packet. */
function denied(
  name: string,
  why: RegExp,
  ask: Ask,
  control: keyof CredentialEnforcement = 'placeholders',
): CredentialCase {
  return {
    name,
    control,
    async run(rig) {
      const text = await rig.ask(...ask(rig));
      expect(text).toMatch(/^HTTP\/1\.1 403 /);
      expect(text).toMatch(/sbx: denied: .*\nNothing was sent\./s);
      expect(rig.denied()).toEqual([expect.stringMatching(why)]);
      expect(rig.untouched()).toBe(true);
    },
  };
}

const basic = (text: string) => Buffer.from(`user:${text}`).toString('base64');
const json = 'Content-Type: application/json';

function masked(
  name: string,
  serve: CredentialsOptions['serve'],
  gone: string,
  control: keyof CredentialEnforcement = 'mask',
): CredentialCase {
  return {
    name,
    control,
    rig: serve === undefined ? {} : { serve },
    async run(rig) {
      const text = await rig.ask(`GET /v1/echo\nx-api-key: ${rig.mine.key}`);
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(rig.intercept.received()).toContain(SECRET);
      expect(text).not.toContain(gone);
    },
  };
}

const split = (text: string, at: number[]) => [0, ...at].map((from, index) => text.slice(from, at[index]));
const echo = `{"key":"${SECRET}","more":1}`;
const encoded = (before: string) => Buffer.from(`${before}${SECRET} and more`).toString('base64');
const core = (text: string) => text.slice(8, -16);

export const CASES: CredentialCase[] = [
  denied('43 another sandbox’s placeholder in its header', /another sandbox/, ({ theirs }) => [
    `GET /v1\nx-api-key: ${theirs}`,
  ]),
  denied('43 another sandbox’s placeholder in Basic', /another sandbox/, ({ theirs }) => [
    `GET /v1\nAuthorization: Basic ${basic(theirs)}`,
  ]),
  denied('43 another sandbox’s placeholder in the query', /another sandbox/, ({ theirs }) => [`GET /v1?a=${theirs}`]),
  denied('43 another sandbox’s placeholder in the body', /another sandbox/, ({ theirs }) => [
    `POST /v1\n${json}`,
    `{"a":"${theirs}"}`,
  ]),
  denied('43 to a host that it is not bound to, in a header', /API_KEY sent to another host/, ({ mine }) => [
    `GET /\nx-api-key: ${mine.key}`,
    '',
    OTHER,
  ]),
  denied('43 to a host that it is not bound to, in Basic', /GIT_TOKEN sent to another host/, ({ mine }) => [
    `GET /\nAuthorization: Basic ${basic(mine.git)}`,
    '',
    OTHER,
  ]),
  denied('43 to a host that it is not bound to, in the query', /to another host/, ({ mine }) => [
    `GET /?x=${mine.key}`,
    '',
    OTHER,
  ]),
  denied('43 to a host that it is not bound to, percent-encoded', /to another host/, ({ mine }) => [
    `GET /?x=${[...mine.key].map((char) => `%${char.charCodeAt(0).toString(16)}`).join('')}`,
    '',
    OTHER,
  ]),
  denied('43 to a host that it is not bound to, in the body', /to another host/, ({ mine }) => [
    'POST /',
    mine.key,
    OTHER,
  ]),
  denied('43 to a host with another credential', /GIT_TOKEN sent to another host/, ({ mine }) => [
    `GET /v1\nAuthorization: Bearer ${mine.git}`,
  ]),
  denied('43 without the prefix that it had', /to another host/, ({ mine }) => [
    `GET /\nX-A: ${mine.key.slice('sk-ant-api03-'.length)}`,
    '',
    OTHER,
  ]),
  denied('43 in another header', /in the header x-other/, ({ mine }) => [`GET /v1\nX-Other: ${mine.key}`]),
  denied('43 in a cookie', /in the header cookie/, ({ mine }) => [`GET /v1\nCookie: a=${mine.key}`]),
  denied('43 in the name of a header', /in the header/, ({ mine }) => [`GET /v1\nX-${mine.key}: 1`]),
  denied('43 in the path', /in the path/, ({ mine }) => [`GET /v1/${mine.key}/x`]),
  denied('43 in the query of its own host', /in the query/, ({ mine }) => [`GET /v1?q=${mine.key}`]),
  denied('43 in the body of its own host', /in the body/, ({ mine }) => [
    `POST /v1\nx-api-key: ${mine.key}\n${json}`,
    `{"say":"${mine.key}"}`,
  ]),
  denied(
    '44 a key in the query, which could be of another account',
    /key in the query: key/,
    () => ['GET /v1/models?alt=sse&key=AIzaForeign'],
    'strip',
  ),
  denied(
    '44 a key in the query, its name encoded',
    /key in the query: access_token/,
    () => ['GET /v1?acces%73_token=foreign'],
    'strip',
  ),
  {
    name: '44 other credentials of a request are removed, and the secret is added',
    control: 'strip',
    async run(rig) {
      await rig.ask(
        'GET /v1\nX-API-Key: foreign-1\nAuthorization: Bearer foreign-2\nApi-Key: foreign-3\nX-Goog-Api-Key: foreign-4\nCookie: session=foreign-5\nPrivate-Token: foreign-6\nX-API-KEY: foreign-7\nX-Kept: 1',
      );
      const received = rig.intercept.received();
      expect(received).not.toContain('foreign');
      expect(received.match(new RegExp(`x-api-key: ${SECRET}\r\n`, 'gi'))).toHaveLength(1);
      expect(received).toContain('X-Kept: 1\r\n');
    },
  },
  {
    name: '44 a cookie of the real account does not reach the guest',
    control: 'strip',
    rig: { serve: answering('ok', 'Set-Cookie: session=real-session\r\n') },
    async run(rig) {
      expect(await rig.ask('GET /v1')).not.toContain('real-session');
    },
  },
  masked('45 a response that repeats the secret', answering(echo), SECRET),
  masked('45 in one piece each byte', inPieces('', [...echo]), SECRET),
  masked('45 split in the middle', inPieces('', split(echo, [9, 20, 40])), SECRET),
  masked('45 in a field of the head', answering('ok', `X-Debug: auth ${SECRET}\r\n`), SECRET),
  masked('45 in base64', answering(encoded('')), core(encoded(''))),
  masked('45 in base64, one byte in', inPieces('', split(encoded('x'), [30])), core(encoded('x'))),
  masked('45 in base64, two bytes in', answering(encoded('xy')), core(encoded('xy'))),
  masked('45 in hex', answering(Buffer.from(SECRET).toString('hex')), Buffer.from(SECRET).toString('hex')),
  {
    name: '45 a response that is encoded against the request',
    control: 'encoding',
    rig: { serve: answering('\x1f\x8b...', 'Content-Encoding: gzip\r\n') },
    async run(rig) {
      const text = await rig.ask('GET /v1\nAccept-Encoding: gzip, br');
      expect(rig.intercept.received()).toContain('Accept-Encoding: identity\r\n');
      expect(rig.intercept.received()).not.toContain('br');
      expect(text).toMatch(/^HTTP\/1\.1 502 /);
      expect(text).toMatch(/encoding gzip/);
    },
  },
  {
    name: '46 plain HTTP to a host with a credential',
    control: 'secureOnly',
    async run(rig) {
      const text = await rig.intercept.rig.ask(
        `GET http://${HOST}/v1 HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 403 .*https:\/\/ only/s);
      expect(rig.denied()).toEqual(['refused: plain HTTP to a host with a credential']);
      expect(rig.untouched()).toBe(true);
    },
  },
  {
    name: '47 a base URL that points elsewhere gets no secret',
    control: 'ownHost',
    async run(rig) {
      const text = await rig.ask('POST /v1/messages\nx-api-key: whatever', '{}', OTHER);
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(rig.intercept.received()).not.toContain(SECRET);
      expect(rig.intercept.received()).toContain('x-api-key: whatever');
    },
  },
  {
    name: 'tokens from a login response stay on the host',
    control: 'tokens',
    rig: {
      serve: answering(
        '{"access_token":"real-access-0123456789","refresh_token":"real-refresh-0123456789"}',
        `${json}\r\n`,
      ),
    },
    async run(rig) {
      const text = await rig.ask('POST /oauth/token', '{}');
      expect(text).toContain('"access_token":"');
      expect(text).not.toContain('real-');
    },
  },
];
