/** Where credentials go, and where not. The registry is a fake. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRegistry } from '../../../lib/registry/registry.ts';
import { type Answer, digestOf, fakeRegistry } from './fake-registry.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-login-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const client = (secrets: Record<string, string>) =>
  openRegistry({
    env: { HOME: dir, CONTAINERS_REGISTRIES_CONF: '/dev/null', SBX_DOCKER_DAEMON_JSON: join(dir, 'none') },
    secret: async (name) => secrets[name],
    retryMs: 1,
  });

const CONTENT = Buffer.alloc(100_000, 'sbx');
const BLOB = { digest: digestOf(CONTENT), size: CONTENT.length };
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { mediaType: 'application/json', ...BLOB },
  layers: [],
});

describe('credentials', () => {
  const secretFor = (host: string) => ({ [`registry-${host.replace(':', '-')}`]: 'team:word' });
  const BASIC = `Basic ${Buffer.from('team:word').toString('base64')}`;
  /** Asks for a login, then answers */
  const behind =
    (challenge: string, then: Answer): Answer =>
    (request, response) => {
      if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': challenge }).end();
      else then(request, response);
    };

  test('are not sent before they are asked for, and go to the registry', async () => {
    await using server = await fakeRegistry(behind('Basic realm="x"', (_, response) => void response.end(MANIFEST)));
    await client(secretFor(server.host)).manifest(`${server.host}/a:1`);
    expect(server.requests.map(({ authorization }) => authorization)).toEqual([undefined, BASIC]);
  });

  test('do not follow a redirect to another host, the storage of blobs', async () => {
    await using storage = await fakeRegistry((_, response) => void response.end(CONTENT));
    const to = `http://${storage.host}/signed?x=1`;
    await using server = await fakeRegistry(
      behind('Basic realm="x"', (_, response) => void response.writeHead(307, { location: to }).end()),
    );
    await client(secretFor(server.host)).downloadBlob(`${server.host}/a`, BLOB, join(dir, 'blob'));
    expect(server.requests.at(-1)?.authorization).toBe(BASIC);
    expect(storage.requests).toMatchObject([{ url: '/signed?x=1', authorization: undefined }]);
  });

  test('follow a redirect on the same host: the test before sees a header that is sent', async () => {
    await using server = await fakeRegistry(
      behind('Basic realm="x"', (request, response) => {
        if (request.url?.startsWith('/v2/')) response.writeHead(307, { location: '/elsewhere' }).end();
        else response.end(CONTENT);
      }),
    );
    await client(secretFor(server.host)).downloadBlob(`${server.host}/a`, BLOB, join(dir, 'blob'));
    expect(server.requests.at(-1)).toMatchObject({ url: '/elsewhere', authorization: BASIC });
  });

  test('of one registry are not those of another port or host', async () => {
    await using server = await fakeRegistry(behind('Basic realm="x"', (_, response) => void response.end(MANIFEST)));
    const other = { 'registry-localhost-1': 'team:word', 'registry-localhost': 'team:word' };
    await expect(client(other).manifest(`${server.host}/a:1`)).rejects.toThrow('requires a login');
    expect(server.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test.each([
    ['a realm without TLS', 'Bearer realm="http://tokens.test/token"'],
    ['a realm that is a file', 'Bearer realm="file:///etc/passwd"'],
    ['no realm', 'Bearer service="x"'],
  ])('are not sent to %s', async (_, challenge) => {
    await using server = await fakeRegistry(behind(challenge, (__, response) => void response.end(MANIFEST)));
    await expect(client(secretFor(server.host)).manifest(`${server.host}/a:1`)).rejects.toMatchObject({
      code: 'registry',
    });
    expect(server.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  test('a storage host that asks for a login gets none', async () => {
    await using storage = await fakeRegistry((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    const to = `http://${storage.host}/blob`;
    await using server = await fakeRegistry((_, response) => void response.writeHead(302, { location: to }).end());
    const secrets = { ...secretFor(server.host), ...secretFor(storage.host) };
    await expect(client(secrets).downloadBlob(`${server.host}/a`, BLOB, join(dir, 'blob'))).rejects.toThrow(
      'cannot get',
    );
    expect([...server.requests, ...storage.requests].every(({ authorization }) => authorization === undefined)).toBe(
      true,
    );
  });

  test('an upload that another host is named for is refused', async () => {
    await using storage = await fakeRegistry((_, response) => void response.writeHead(201).end());
    await using server = await fakeRegistry((request, response) => {
      if (request.method === 'POST') response.writeHead(202, { location: `http://${storage.host}/take` }).end();
      else response.writeHead(404).end();
    });
    const manifest = JSON.parse(MANIFEST);
    const push = client({}).push(`${server.host}/a:1`, { manifest, contents: new Map([[BLOB.digest, CONTENT]]) });
    await expect(push).rejects.toThrow('another host');
    expect(storage.requests).toEqual([]);
  });
});
