/** The cases of the credentials as data: each with the control that it rests on. */
import { expect } from 'vitest';
import type { CredentialEnforcement } from '../../../../lib/gateway/request/enforcement.ts';
import {
  answering,
  byRange,
  type CredentialsOptions,
  type CredentialsRig,
  HOST,
  inPieces,
  OTHER,
  SECRET,
} from './rig.ts';

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
const escaped = (text: string) => text.replace(/[^\w]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
const percent = (text: string) => text.replace(/[^\w]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
const entities = (text: string) => text.replace(/[^\w]/g, (char) => `&#${char.charCodeAt(0)};`);
const wrapped = (text: string) => text.replace(/.{20}/g, '$&\r\n');
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
  denied('44 a token in the query', /key in the query: token/, () => ['GET /v1?token=foreign'], 'strip'),
  {
    name: '44 a login header with other separators, and headers that are like a login, are removed',
    control: 'strip',
    async run(rig) {
      await rig.ask(
        'GET /v1\nX_API_KEY: foreign-1\nX.Api.Key: foreign-2\nX_Auth-Token: foreign-3\nX-Acme-Token: foreign-4\nCookie2: foreign-5\nX-Forwarded-User: foreign-6\nIdempotency-Key: kept-1\nsession_id: kept-2',
      );
      const received = rig.intercept.received();
      expect(received).not.toContain('foreign');
      expect(received).toContain('kept-1');
      expect(received).toContain('kept-2');
      expect(rig.intercept.rig.records()[0]?.detail).toBe(
        'with the secret key, without the header X-Acme-Token, Cookie2, X-Forwarded-User',
      );
    },
  },
  {
    name: '45 a secret that a server repeats cannot be read in parts',
    control: 'ranges',
    rig: { serve: byRange(`{"key":"${SECRET}"}`) },
    async run(rig) {
      let whole = '';
      for (let from = 0; from < SECRET.length + 10; from += 5) {
        const text = await rig.ask(`GET /v1/echo\nRange: bytes=${from}-${from + 4}\nIf-Range: "a"`);
        whole += text.split('\r\n\r\n')[1];
      }
      expect(whole).not.toContain(SECRET);
      expect(rig.intercept.received()).not.toMatch(/^(range|if-range):/im);
    },
  },
  {
    name: '45 a response does not depend on a condition of the guest',
    control: 'ranges',
    async run(rig) {
      await rig.ask(
        'GET /v1\nIf-Match: "a"\nIf-None-Match: "a"\nIF_NONE_MATCH: "a"\nIf-Modified-Since: x\nIf-Unmodified-Since: x\nRequest-Range: bytes=0-1',
      );
      expect(rig.intercept.received()).toContain('GET /v1');
      expect(rig.intercept.received()).not.toMatch(/^(if[-_]|request-range)/im);
    },
  },
  denied(
    '45 a condition that protects a change is not dropped silently',
    /condition on a change: If-Match/,
    () => [`PUT /v1/a\nIf-Match: "a"`, 'body'],
    'ranges',
  ),
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
  masked('45 with \\u escapes', answering(escaped(SECRET)), escaped(SECRET)),
  masked('45 percent-encoded', inPieces('', [...percent(SECRET)]), percent(SECRET)),
  masked('45 as HTML entities', answering(entities(SECRET)), entities(SECRET)),
  masked('45 in wrapped base64', answering(wrapped(encoded('xy'))), wrapped(encoded('xy')).slice(40, -20)),
  masked('45 in the name of a header', answering('ok', `X-${SECRET}: 1\r\n`), SECRET),
  masked(
    '45 in the name of a header, in lower case',
    answering('ok', `x-${SECRET.toLowerCase()}: 1\r\n`),
    SECRET.toLowerCase(),
  ),
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
