import { describe, expect, test } from 'vitest';
import {
  type CredentialEnforcement,
  FULL_CREDENTIAL_ENFORCEMENT,
} from '../../../../lib/gateway/request/enforcement.ts';
import { CASES } from './cases.ts';
import { afterBody, answering, HOST, OAUTH, OTHER, SECRET, startCredentials } from './rig.ts';

describe('a request with or without a placeholder', () => {
  test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_name, { rig, run }) => {
    await using one = await startCredentials(rig);
    await run(one);
  });
});

describe('the cases of each control fail without it', () => {
  const enforcement = Object.keys(FULL_CREDENTIAL_ENFORCEMENT) as (keyof CredentialEnforcement)[];
  for (const control of enforcement) {
    const cases = CASES.filter((one) => one.control === control);
    test(`${control}: ${cases.length} cases`, async () => {
      expect(cases.length).toBeGreaterThan(0);
      for (const { name, rig, run } of cases) {
        await using one = await startCredentials({ ...rig, injection: { [control]: false } });
        await expect(run(one), name).rejects.toThrow();
      }
    });
  }
});

describe('33 headers that Connection nominates', () => {
  const ask = 'GET /v1\nConnection: X-Mine, x-api-key\nX-Mine: 1\nX-API-Key: foreign';

  test('are removed before the secret is added', async () => {
    await using one = await startCredentials();
    await one.ask(ask);
    expect(one.intercept.received()).toContain(`x-api-key: ${SECRET}\r\n`);
    expect(one.intercept.received()).not.toMatch(/X-Mine|foreign/);
  });

  test('without the control, they are forwarded', async () => {
    await using one = await startCredentials({ enforcement: { hopByHop: false } });
    await one.ask(ask);
    expect(one.intercept.received()).toContain('X-Mine: 1');
  });
});

describe('46 a bad certificate of the upstream', () => {
  test.each([
    ['of another name', { certified: 'other.test' }],
    ['of an unknown authority', { untrusted: true }],
  ])('%s prevents the request', async (_name, rig) => {
    await using one = await startCredentials(rig);
    expect(await one.ask(`GET /v1\nx-api-key: ${one.mine.key}`)).toMatch(/^HTTP\/1\.1 502 /);
    expect(one.intercept.received()).toBe('');
    expect(one.intercept.rig.records().at(-1)).toMatchObject({ verdict: 'error', reason: 'upstream-failed' });
  });

  test('without the control, does not prevent the request', async () => {
    await using one = await startCredentials({ untrusted: true, enforcement: { upstreamCertificate: false } });
    await one.ask(`GET /v1\nx-api-key: ${one.mine.key}`);
    expect(one.intercept.received()).toContain(SECRET);
  });
});

describe('the secret of a request', () => {
  test('is the one whose placeholder the request carries, in any login header', async () => {
    await using one = await startCredentials();
    one.secrets.set('oauth', OAUTH);
    await one.ask(`GET /v1/1\nx-api-key: ${one.mine.oauth}`);
    expect(one.intercept.received()).toContain(`authorization: Bearer ${OAUTH}\r\n`);
    expect(one.intercept.received()).not.toMatch(/x-api-key/i);
    await one.ask(`GET /v1/2\nAuthorization: Bearer ${one.mine.key}`);
    expect(one.intercept.received()).toContain(`x-api-key: ${SECRET}\r\n`);
  });

  test('is the first that is set when there is no placeholder, and the record names it', async () => {
    await using one = await startCredentials();
    one.secrets.set('oauth', OAUTH);
    await one.ask('GET /v1');
    expect(one.intercept.received()).toContain(`x-api-key: ${SECRET}\r\n`);
    expect(one.intercept.received()).not.toContain(OAUTH);
    one.secrets.delete('key');
    await one.ask('GET /v1');
    expect(one.intercept.received()).toContain(`authorization: Bearer ${OAUTH}\r\n`);
    const allowed = one.intercept.rig.records().filter(({ verdict }) => verdict === 'allow');
    expect(allowed.map(({ detail }) => detail)).toEqual(['with the secret key', 'with the secret oauth']);
    expect(JSON.stringify(one.intercept.rig.records())).not.toContain('REAL');
  });

  test('is encoded as Basic for git over https', async () => {
    await using one = await startCredentials();
    const guest = Buffer.from(`x-access-token:${one.mine.git}`).toString('base64');
    await one.ask(`GET /repo/info/refs?service=git-upload-pack\nAuthorization: Basic ${guest}`, '', 'git.wild.test');
    const real = Buffer.from(`x-access-token:${SECRET}`).toString('base64');
    expect(one.intercept.received()).toContain(`authorization: Basic ${real}\r\n`);
  });

  test('is absent when none is set; the credentials of the guest are removed all the same, and the record says so', async () => {
    await using one = await startCredentials();
    one.secrets.clear();
    await one.ask('GET /v1\nAuthorization: Bearer foreign');
    expect(one.intercept.received()).not.toContain('foreign');
    expect(one.intercept.rig.records()[0]).toMatchObject({
      verdict: 'allow',
      detail: 'without a login: the secret key, oauth is not set',
    });
  });

  test('is the changed one from the next request of the same connection on', async () => {
    await using one = await startCredentials();
    const client = await one.intercept.inside();
    const ask = (path: string) => client.send(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    ask('/v1/1');
    await client.until('GET /v1/1');
    one.secrets.set('key', 'sk-changed-0123456789');
    ask('/v1/2');
    await client.until('GET /v1/2');
    expect(one.intercept.received()).toMatch(/1 HTTP.*REAL.*2 HTTP.*x-api-key: sk-changed-0123456789\r\n/s);
    expect(one.intercept.connections()).toBe(1);
  });

  test('that cannot be read prevents the request', async () => {
    await using one = await startCredentials({
      secretOf: async () => Promise.reject(new Error('the command of the secret "key" failed: it ended with 3')),
    });
    expect(await one.ask('GET /v1')).toMatch(/^HTTP\/1\.1 502 .*it ended with 3\. Nothing was sent/s);
    expect(one.denied()).toEqual(['refused: the secret key could not be read']);
    expect(one.untouched()).toBe(true);
  });

  test('is not used on another port of its host, whose tunnels are not intercepted', async () => {
    await using one = await startCredentials({ serve: (socket) => void socket.write('') });
    const { openTunnel, handshake } = await import('../proxy/intercept-rig.ts');
    const client = await openTunnel(one.intercept.rig, HOST, 8443);
    await expect(handshake(client.socket, { ca: one.intercept.authority.pem, servername: HOST })).rejects.toThrow(
      /certificate/,
    );
  });
});

describe('a body', () => {
  test('that is too large to buffer is streamed up to a placeholder, also a split one, with a length and in chunks', async () => {
    for (const chunked of [false, true]) {
      await using one = await startCredentials({ serve: afterBody('never') });
      const client = await one.intercept.inside(OTHER);
      const filler = 'x'.repeat(300 * 1024);
      const [first, second] = [one.mine.key.slice(0, 20), one.mine.key.slice(20)];
      const framed = (text: string) => (chunked ? `${text.length.toString(16)}\r\n${text}\r\n` : text);
      const length = chunked
        ? 'Transfer-Encoding: chunked'
        : `Content-Length: ${filler.length + one.mine.key.length + 10}`;
      client.send(`POST / HTTP/1.1\r\nHost: ${OTHER}\r\n${length}\r\n\r\n`);
      client.send(framed(filler + first));
      client.send(framed(second));
      expect(await client.end()).toMatch(/^HTTP\/1\.1 403 .*the request was for in\.wild\.test/s);
      expect(one.denied()).toEqual(['refused: placeholder of API_KEY sent to another host']);
      expect(one.intercept.received()).not.toContain(second);
    }
  });

  test.each([
    ['held', '{"a":"b"}', 'Content-Length: 9', '{"a":"b"}'],
    ['streamed', `${'y'.repeat(299_991)}the end!!`, 'Content-Length: 300000', `${'y'.repeat(299_991)}the end!!`],
    ['in chunks', '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', 'Transfer-Encoding: chunked', '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'],
  ])('without a placeholder arrives unchanged: %s', async (_name, body, framing, arrives) => {
    await using one = await startCredentials({ serve: afterBody(arrives.slice(-9)) });
    const client = await one.intercept.inside();
    client.send(`POST /v1 HTTP/1.1\r\nHost: ${HOST}\r\n${framing}\r\n\r\n${body}`);
    await client.until('ok\r\n0\r\n\r\n');
    const [head = '', got = ''] = one.intercept.received().split(/\r\n\r\n(.*)/s);
    expect(head).toContain(`\r\n${framing}\r\n`);
    expect(got === arrives).toBe(true);
  });

  test('whose client expects 100-continue gets it from the proxy, and the upstream gets no Expect', async () => {
    await using one = await startCredentials();
    const client = await one.intercept.inside();
    client.send(`POST /v1 HTTP/1.1\r\nHost: ${HOST}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`);
    await client.until('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('abc');
    await client.until('HTTP/1.1 200 OK');
    expect(one.intercept.received()).not.toContain('Expect');
  });
});

describe('a response', () => {
  test('shows the placeholder in place of the secret', async () => {
    await using one = await startCredentials({ serve: answering(`{"key":"${SECRET}"}`) });
    expect(await one.ask('GET /v1')).toContain(`{"key":"${one.mine.key}"}`);
  });

  test('of server-sent events is passed on event by event', async () => {
    let next = () => {};
    await using one = await startCredentials({
      serve: (socket) =>
        void socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
          socket.write('d\r\ndata: first\n\n\r\n');
          next = () => void socket.write('e\r\ndata: second\n\n\r\n0\r\n\r\n');
        }),
    });
    const client = await one.intercept.inside();
    client.send(`GET /v1/events HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    expect(await client.until('data: first\n\n')).not.toContain('second');
    next();
    await client.until('data: second\n\n');
  });

  test('before the final one is reduced to its status', async () => {
    await using one = await startCredentials({
      serve: (socket) =>
        void socket.once('data', () =>
          socket.end(
            `HTTP/1.1 103 ${SECRET}\r\nLink: <${SECRET}>\r\n\r\nHTTP/1.1 200 ${SECRET}\r\nContent-Length: 0\r\n\r\n`,
          ),
        ),
    });
    const text = await one.ask('GET /v1');
    expect(text).toContain('HTTP/1.1 103 Early Hints\r\n\r\n');
    expect(text).not.toContain('REAL');
  });
});
