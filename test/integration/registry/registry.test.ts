/** The client against Debian's docker-registry: open, with a password, and with signed tokens. */
import { execFileSync } from 'node:child_process';
import { createHash, createSign, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRegistry, type PushedImage } from '../../../lib/registry/registry.ts';
import { startRegistry } from '../../e2e/programs/real-servers.ts';

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const LOGIN = { user: 'team', password: 'pa:ss word' };

/** An artifact with one small and one large part */
function artifact(): PushedImage & { parts: Buffer[] } {
  const parts = [Buffer.from('{}'), randomBytes(64), randomBytes(3_000_000)];
  const described = parts.map((bytes) => ({
    mediaType: 'application/octet-stream',
    digest: digestOf(bytes),
    size: bytes.length,
  }));
  const [config, ...layers] = described;
  if (config === undefined) throw new Error('no config');
  return {
    parts,
    manifest: {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: 'application/vnd.example.test',
      config,
      layers,
    },
    contents: new Map(parts.map((bytes) => [digestOf(bytes), bytes])),
  };
}

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-oci-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A client without any credentials of this host */
const client = (env: Record<string, string> = {}, secrets: Record<string, string> = {}) =>
  openRegistry({
    env: { HOME: dir, CONTAINERS_REGISTRIES_CONF: '/dev/null', SBX_DOCKER_DAEMON_JSON: join(dir, 'none'), ...env },
    secret: async (name) => secrets[name],
    retryMs: 1,
  });

const dockerConfig = (name: string, config: object) => {
  const folder = join(dir, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return { DOCKER_CONFIG: folder };
};

describe('an open registry', () => {
  test('what is pushed is pulled again, by tag and by digest, and its tags are listed', async () => {
    await using server = await startRegistry();
    const registry = client();
    const place = `localhost:${server.port}/team/dev`;
    const pushed = artifact();
    const { digest } = await registry.push(`${place}:1`, pushed);
    expect((await registry.push(`${place}:2`, pushed)).digest).toBe(digest);
    expect(await registry.manifest(`${place}:1`)).toMatchObject({ digest, manifest: pushed.manifest });
    expect(await registry.manifest(`${place}@${digest}`)).toMatchObject({ digest });
    expect(await registry.tags(place)).toEqual(['1', '2']);
    const [config, large] = [pushed.manifest.config, pushed.manifest.layers[1]];
    if (large === undefined) throw new Error('no layer');
    expect((await registry.readBlob(place, config, 100)).toString()).toBe('{}');
    const file = join(dir, 'blob');
    const seen: number[] = [];
    await registry.downloadBlob(place, large, file, { onBytes: (bytes) => seen.push(bytes) });
    expect(digestOf(readFileSync(file))).toBe(large.digest);
    expect(seen.at(-1)).toBe(large.size);
  });

  test('a started file is continued, not fetched again', async () => {
    await using server = await startRegistry();
    const registry = client();
    const place = `localhost:${server.port}/team/dev`;
    const pushed = artifact();
    await registry.push(`${place}:1`, pushed);
    const large = pushed.manifest.layers[1];
    if (large === undefined) throw new Error('no layer');
    const file = join(dir, 'started');
    writeFileSync(file, (pushed.parts[2] as Buffer).subarray(0, 1_000_000));
    const seen: number[] = [];
    await registry.downloadBlob(place, large, file, { onBytes: (bytes) => seen.push(bytes) });
    expect(digestOf(readFileSync(file))).toBe(large.digest);
    expect(seen[0]).toBeGreaterThan(1_000_000);
  });

  test('a missing image, tag or blob says what is missing', async () => {
    await using server = await startRegistry();
    const place = `localhost:${server.port}/none`;
    await expect(client().manifest(`${place}:1`)).rejects.toMatchObject({
      code: 'registry',
      why: expect.stringContaining('404: MANIFEST_UNKNOWN'),
    });
    await expect(client().tags(place)).rejects.toMatchObject({ code: 'registry', why: expect.stringMatching(/404/) });
  });

  test('a mirror of registries.conf is asked first, and the registry when the mirror has none', async () => {
    await using mirror = await startRegistry();
    await using origin = await startRegistry();
    const pushed = artifact();
    const [there, here] = [`localhost:${origin.port}`, `127.0.0.1:${mirror.port}`];
    const conf = join(dir, 'registries.conf');
    writeFileSync(conf, `[[registry]]\nlocation = "${there}"\n[[registry.mirror]]\nlocation = "${here}/cache"\n`);
    const mirrored = client({ CONTAINERS_REGISTRIES_CONF: conf });
    await client().push(`${here}/cache/only-mirror:1`, pushed);
    await mirrored.push(`${there}/only-origin:1`, pushed);
    expect(await mirrored.tags(`${there}/only-mirror`)).toEqual(['1']);
    expect(await mirrored.tags(`${there}/only-origin`)).toEqual(['1']);
    // A push goes past the mirror.
    await expect(client().tags(`${here}/cache/only-origin`)).rejects.toMatchObject({ code: 'registry' });
  });
});

describe('a registry with a password', () => {
  test('without credentials it is refused, with the command that logs in', async () => {
    await using server = await startRegistry({ login: LOGIN });
    await expect(client().manifest(`localhost:${server.port}/a:1`)).rejects.toMatchObject({
      code: 'registry',
      message: `localhost:${server.port} requires a login for a`,
      hint: expect.stringContaining(`sbx secret set registry-localhost-${server.port}`),
    });
  });

  test.each(['config.json', 'credHelpers', 'credsStore', 'auth.json', 'sbx secret'])(
    'credentials of %s',
    async (kind) => {
      await using server = await startRegistry({ login: LOGIN });
      const host = `localhost:${server.port}`;
      const auths = { auths: { [host]: { auth: Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64') } } };
      const bin = join(dir, `bin-${kind}`);
      mkdirSync(bin);
      const helper = join(bin, 'docker-credential-test');
      const answer = JSON.stringify({ ServerURL: host, Username: LOGIN.user, Secret: LOGIN.password });
      writeFileSync(helper, `#!/bin/sh\nread host\ntest "$host" = ${host} && echo '${answer}'\n`);
      chmodSync(helper, 0o755);
      const runtime = join(dir, `runtime-${kind}`);
      mkdirSync(join(runtime, 'containers'), { recursive: true });
      if (kind === 'auth.json') writeFileSync(join(runtime, 'containers/auth.json'), JSON.stringify(auths));
      const envs: Record<string, Record<string, string>> = {
        'config.json': dockerConfig(`docker-${kind}`, auths),
        credHelpers: dockerConfig(`docker-${kind}-2`, { credHelpers: { [host]: 'test' } }),
        credsStore: dockerConfig(`docker-${kind}-3`, { auths: { [host]: {} }, credsStore: 'test' }),
        'auth.json': { XDG_RUNTIME_DIR: runtime },
      };
      const secrets = kind === 'sbx secret' ? { [`registry-localhost-${server.port}`]: `team:${LOGIN.password}` } : {};
      const before = process.env['PATH'];
      process.env['PATH'] = `${bin}:${before}`;
      try {
        const registry = client(envs[kind], secrets);
        const { digest } = await registry.push(`${host}/team/dev:1`, artifact());
        expect((await registry.manifest(`${host}/team/dev:1`)).digest).toBe(digest);
      } finally {
        process.env['PATH'] = before;
      }
    },
  );

  test('a wrong password is refused, and appears in no error', async () => {
    await using server = await startRegistry({ login: LOGIN });
    const registry = client({}, { [`registry-localhost-${server.port}`]: 'team:wrong-password' });
    const error = await registry.manifest(`localhost:${server.port}/a:1`).catch((failed: unknown) => failed);
    expect(error).toMatchObject({ code: 'registry', why: expect.stringContaining('401') });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/wrong-password|d3Jvbmctc/);
  });
});

describe('a registry with tokens', () => {
  test('a token is fetched for the login and the right that is needed, and kept for further requests', async () => {
    const key = join(dir, 'key.pem');
    const cert = join(dir, 'cert.pem');
    const subject = ['-subj', '/CN=test', '-days', '2', '-nodes'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    });
    const asked: { scope: string | null; login: string | undefined }[] = [];
    // The service of tokens is the test's own; that they are right is decided by the real registry.
    const tokens = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://localhost');
      asked.push({ scope: url.searchParams.get('scope'), login: request.headers.authorization });
      response.end(JSON.stringify({ token: signed(readFileSync(key, 'utf8'), readFileSync(cert, 'utf8'), url) }));
    });
    await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
    try {
      const realm = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`;
      const certificate = readFileSync(cert, 'utf8');
      await using server = await startRegistry({ token: { realm, service: 'images', issuer: 'tester', certificate } });
      const registry = client({}, { [`registry-localhost-${server.port}`]: `team:${LOGIN.password}` });
      const { digest } = await registry.push(`localhost:${server.port}/team/dev:1`, artifact());
      expect((await registry.manifest(`localhost:${server.port}/team/dev:1`)).digest).toBe(digest);
      expect(await registry.tags(`localhost:${server.port}/team/dev`)).toEqual(['1']);
      const login = `Basic ${Buffer.from(`team:${LOGIN.password}`).toString('base64')}`;
      expect(asked).toEqual([
        { scope: 'repository:team/dev:pull,push', login },
        { scope: 'repository:team/dev:pull', login },
      ]);
    } finally {
      await new Promise((resolve) => tokens.close(resolve));
    }
  });
});

function signed(key: string, certificate: string, url: URL): string {
  const [, name, actions = ''] = (url.searchParams.get('scope') ?? '').split(':');
  const der = certificate.replace(/-----.*?-----|\s/g, '');
  const now = Math.floor(Date.now() / 1000);
  const access = [{ type: 'repository', name, actions: actions.split(',') }];
  const claims = {
    iss: 'tester',
    sub: 'team',
    aud: 'images',
    exp: now + 300,
    nbf: now - 10,
    iat: now,
    jti: '1',
    access,
  };
  const text = [{ typ: 'JWT', alg: 'RS256', x5c: [der] }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${createSign('RSA-SHA256').update(text).sign(key).toString('base64url')}`;
}
