/** From a denial to a rule, on a real machine: log, suggest, allow for a while, allow for good. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Suggestions } from '../../../lib/gateway/policy/suggest.ts';
import { inside, json, must, netLog, type Project, project, SMALL, sbx, until } from '../harness.ts';

const TOML = `version = 1
${SMALL}
[network] # who may be reached
allow = [
  "docs.allowed.test", # the manual
]
`;

interface Service extends AsyncDisposable {
  port: number;
}

async function service(serve: (response: ServerResponse) => void): Promise<Service> {
  const server = createServer((_request, response) => serve(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Never comes to its end. */
const dribble = () =>
  service((response) => {
    const timer = setInterval(() => response.write('more\n'), 100);
    response.on('close', () => clearInterval(timer));
  });

const bulk = (bytes: number) => service((response) => void response.end(Buffer.alloc(bytes, 'x')));

describe('denials and grants', () => {
  let p: Project;
  const records = (...options: string[]) => netLog(p.dir, options);
  /** The gateway's own answer to CONNECT. No such host exists, so what is let out fails on the way: 502, never 403. */
  const connect = (host: string) =>
    inside(p.dir, `curl -sS -m 60 -o /dev/null -w '%{http_connect}' https://${host}/ 2>/dev/null || true`);

  beforeAll(async () => {
    p = project('net', TOML);
    await must(['apply', '--accept-widening'], { cwd: p.dir });
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  test('a denial names the entry that would allow it, is in the log with its reason, and becomes a suggestion', async () => {
    const text = await inside(p.dir, 'curl -sS -m 60 http://wanted.test/v1/items?q=1');
    expect(text).toContain('sbx net allow wanted.test:80');
    expect(await connect('wanted.test')).toBe('403');
    expect(await records('--denied', '--host', 'wanted.test')).toMatchObject([
      { verdict: 'deny', reason: 'default-deny', method: 'GET', path: '/v1/items?q=1', port: 80 },
      { verdict: 'deny', reason: 'default-deny', method: 'CONNECT', port: 443 },
    ]);
    const { suggestions } = await json<Suggestions>(['net', 'suggest'], { cwd: p.dir });
    expect(suggestions.map(({ entry, requests }) => [entry, requests]).toSorted()).toEqual([
      ['wanted.test', []],
      ['wanted.test:80', ['GET /v1/items']],
    ]);
    const human = (await must(['net', 'log', '--host', 'wanted.test'], { cwd: p.dir })).stdout;
    expect(human).toMatch(/deny +wanted\.test:80 +GET \/v1\/items\?q=1 +default-deny/);
  });

  test('net allow --for is applied at once, is no drift, is shown, and expires', async () => {
    expect(await connect('short.test')).toBe('403');
    await must(['net', 'allow', 'short.test', '--for', '20s'], { cwd: p.dir });
    expect(await connect('short.test')).toBe('502');
    const plan = await json<{ steps: unknown[] }>(['plan'], { cwd: p.dir });
    expect(plan.steps).toEqual([]);
    const { grants } = await json<{ grants: { until?: string }[] }>(['inspect'], { cwd: p.dir });
    expect(grants).toMatchObject([{ pattern: 'short.test', until: expect.stringMatching(/Z$/) }]);
    const check = await json<{ allow: boolean; detail: string }>(['net', 'check', 'short.test'], { cwd: p.dir });
    expect(check).toMatchObject({ allow: true, detail: expect.stringContaining('sbx net allow, until') });
    await until(async () => (await connect('short.test')) === '403', 1_000);
    const seen = await records('--host', 'short.test');
    const end = Date.parse(grants[0]?.until ?? '');
    for (const { verdict, time, durationMs = 0 } of seen.slice(1))
      expect([verdict, Date.parse(time) - durationMs < end]).toEqual(
        verdict === 'deny' ? ['deny', false] : ['error', true],
      );
    expect([seen.at(0)?.verdict, seen.at(1)?.verdict, seen.at(-1)?.verdict]).toEqual(['deny', 'error', 'deny']);
  });

  test('without --for a grant lasts until the sandbox is removed, also with a new daemon', async () => {
    await must(['net', 'allow', 'long.test'], { cwd: p.dir });
    await must(['daemon', 'stop'], { cwd: p.dir });
    expect(await until(async () => (await connect('long.test')) || undefined)).toBe('502');
  });

  test('net revoke takes a grant back at once, and names the file of what it cannot take back', async () => {
    await must(['net', 'allow', 'long.test'], { cwd: p.dir });
    expect(await connect('long.test')).toBe('502');
    await must(['net', 'revoke', 'long.test'], { cwd: p.dir });
    expect(await connect('long.test')).toBe('403');
    const refused = await sbx(['net', 'revoke', 'docs.allowed.test'], { cwd: p.dir });
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/sandbox\.toml:\d+/)]);
    expect(await connect('docs.allowed.test')).toBe('502');
  });

  test('net deny wins over the file at once, is no drift, and ends with revoke', async () => {
    await must(['net', 'deny', 'docs.allowed.test', '--for', '1h'], { cwd: p.dir });
    expect(await connect('docs.allowed.test')).toBe('403');
    expect((await json<{ steps: unknown[] }>(['plan'], { cwd: p.dir })).steps).toEqual([]);
    const check = await sbx(['net', 'check', 'docs.allowed.test'], { cwd: p.dir });
    expect([check.code, check.stdout]).toEqual([4, expect.stringContaining('sbx net revoke docs.allowed.test')]);
    expect((await sbx(['net', 'allow', 'docs.allowed.test'], { cwd: p.dir })).code).toBe(4);
    await must(['net', 'revoke', 'docs.allowed.test'], { cwd: p.dir });
    expect(await connect('docs.allowed.test')).toBe('502');
  });

  test('a download by a temporary grant is cut when the grant expires, with its bytes in the log', async () => {
    await using service = await dribble();
    const where = `127.0.0.1:${service.port}`;
    await must(['net', 'allow', where, '--for', '15s'], { cwd: p.dir });
    const code = await inside(p.dir, `curl -sS -N -m 45 --noproxy '' http://${where}/ > /tmp/got 2>/dev/null; echo $?`);
    // Cut in the middle: neither a whole answer nor the end of curl's own patience.
    expect(['0', '28']).not.toContain(code);
    expect(Number(await inside(p.dir, 'wc -c < /tmp/got'))).toBeGreaterThan(0);
    const [allowed, closed] = await records('--host', where);
    expect(allowed).toMatchObject({ verdict: 'allow', address: '127.0.0.1', method: 'GET', path: '/' });
    expect(allowed?.rule?.text).toContain('sbx net allow, until');
    expect(closed).toMatchObject({ verdict: 'closed', reason: 'policy-changed' });
    expect(closed?.bytesDown).toBeGreaterThan(0);
    expect(await inside(p.dir, `curl -sS -m 60 --noproxy '' http://${where}/`)).toContain('is denied');
  });

  test('a bandwidth limit is applied at once: the same download takes longer and is complete', async () => {
    await using service = await bulk(2 * 1024 * 1024);
    const where = `127.0.0.1:${service.port}`;
    await must(['net', 'allow', where], { cwd: p.dir });
    const download = () => inside(p.dir, `curl -sS -m 120 --noproxy '' http://${where}/ | wc -c`);
    expect(await download()).toBe(String(2 * 1024 * 1024));
    p.write(TOML.replace('[network]', '[network]\nbandwidth = "512KiB"'));
    await must(['apply', '--yes'], { cwd: p.dir });
    expect(await download()).toBe(String(2 * 1024 * 1024));
    p.write(TOML);
    await must(['apply', '--accept-widening'], { cwd: p.dir });
    const [free, limited] = (await records('--host', where))
      .filter(({ verdict }) => verdict === 'closed')
      .map(({ durationMs }) => durationMs ?? 0);
    // Four seconds' worth.
    expect(limited).toBeGreaterThan(3_000);
    expect(limited).toBeGreaterThan(free ?? Number.POSITIVE_INFINITY);
  });

  test('--save keeps the comments, and the next apply asks nothing', async () => {
    await must(['net', 'allow', 'saved.test', '--save'], { cwd: p.dir });
    const file = readFileSync(join(p.dir, 'sandbox.toml'), 'utf8');
    expect(file).toBe(TOML.replace('# the manual\n', '# the manual\n  "saved.test",\n'));
    expect(await connect('saved.test')).toBe('403');
    await must(['apply', '--yes'], { cwd: p.dir });
    expect(await connect('saved.test')).toBe('502');
    expect((await must(['apply', '--yes'], { cwd: p.dir })).stdout).toContain('nothing to do');
  });

  test('--save approves no other change of the file', async () => {
    const file = join(p.dir, 'sandbox.toml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('  "saved.test",\n', '  "saved.test",\n  "evil.test",\n'));
    const saved = await json<{ approved: boolean }>(['net', 'allow', 'good.test', '--save'], { cwd: p.dir });
    expect(saved.approved).toBe(false);
    const refused = await sbx(['apply', '--yes'], { cwd: p.dir });
    expect([refused.code, await connect('evil.test')]).toEqual([4, '403']);
  });

  test('suggest --save writes the denied hosts, and apply asks for approval', async () => {
    await must(['apply', '--accept-widening'], { cwd: p.dir });
    await must(['net', 'suggest', '--save'], { cwd: p.dir });
    const file = readFileSync(join(p.dir, 'sandbox.toml'), 'utf8');
    expect(file).toContain('"wanted.test:80",\n');
    expect(file).toContain('# the manual\n');
    expect((await sbx(['apply', '--yes'], { cwd: p.dir })).code).toBe(4);
    expect((await json<Suggestions>(['net', 'suggest'], { cwd: p.dir })).suggestions).toEqual([]);
  });

  test('mode observe is a widening, is applied at once, and the log says what enforce would have denied', async () => {
    const file = join(p.dir, 'sandbox.toml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('[network] #', '[network]\nmode = "observe" #'));
    expect((await must(['plan'], { cwd: p.dir })).stdout).toContain('network.mode: enforce → observe');
    expect((await sbx(['apply', '--yes'], { cwd: p.dir })).code).toBe(4);
    await must(['apply', '--accept-widening'], { cwd: p.dir });
    expect(await connect('anything.test')).toBe('502');
    expect(await inside(p.dir, 'curl -sS -m 60 http://169.254.169.254/')).toContain('is denied');
  });
});
