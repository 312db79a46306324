/** Rules by method and path from inside a real machine, against the real registry that this host's npm uses. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import { HOME, inside, must, netLog, project, SMALL, sbx, statusOf } from '../harness.ts';

const registry = new URL(execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim());
const base = registry.pathname.replace(/\/$/, '');
const toml = (paths: string[]) =>
  `version = 1\n${SMALL}\n[network]\nallow = ["preset:npm"]\n[[network.http]]\nhost = "${registry.hostname}"\nmethods = ["GET"]\npaths = ${JSON.stringify(paths)}\n`;
const url = (path: string) => `${registry.origin}${base}${path}`;

const p = appliedProject('intercept', toml([`${base}/is-number`, `${base}/is-number/**`]));

test('npm works through interception, and each request is in the log with method, path and rule', async () => {
  expect(await inside(p.dir, 'cd /tmp && npm view is-number@7.0.0 version')).toBe('7.0.0');
  const seen = (await netLog(p.dir)).filter(({ verdict }) => verdict === 'allow');
  expect(seen[0]).toMatchObject({
    host: registry.hostname,
    method: 'GET',
    path: expect.stringMatching(/is-number$/),
    rule: { file: join(p.dir, 'sandbox.toml'), line: expect.any(Number) },
  });
});

test('another path and another method are denied with an explanation that curl shows', async () => {
  const get = await inside(p.dir, `curl -sS -w ' %{http_code}' ${url('/left-pad')}`);
  expect(get).toMatch(/no HTTP rule covers GET \S*\/left-pad[\s\S]* 403$/);
  const put = await inside(p.dir, `curl -sS -w ' %{http_code}' -X PUT -d x ${url('/is-number')}`);
  expect(put).toMatch(/covers PUT \S*\/is-number[\s\S]* 403$/);
  // npm asks for news of itself, too.
  const denied = (await netLog(p.dir)).filter(({ verdict, path = '' }) => verdict === 'deny' && !path.endsWith('/npm'));
  expect(denied.map(({ reason, method }) => [reason, method])).toEqual([
    ['http-rule', 'GET'],
    ['http-rule', 'PUT'],
  ]);
});

test('every kind of client trusts the certificate of the sandbox: by variables, by the bundle, by the hashed folder', async () => {
  const ask = url('/is-number');
  const clients = {
    'curl, from its variable': `curl -sS -o /dev/null -w '%{http_code}' ${ask}`,
    'curl, from the bundle': `env -u CURL_CA_BUNDLE -u SSL_CERT_FILE curl -sS -o /dev/null -w '%{http_code}' ${ask}`,
    'OpenSSL, from the folder': `env -u SSL_CERT_FILE openssl s_client -proxy 10.0.2.100:3128 -connect ${registry.hostname}:443 -servername ${registry.hostname} -CApath /etc/ssl/certs -verify_return_error </dev/null >/dev/null 2>&1 && printf 200`,
    'a root shell': `sudo -n curl -sS -o /dev/null -w '%{http_code}' ${ask}`,
    node: `node -e "fetch('${ask}').then((answer) => process.stdout.write(String(answer.status)))"`,
  };
  for (const [client, script] of Object.entries(clients)) expect(await inside(p.dir, script), client).toBe('200');
});

test('every variable for certificates names a bundle that contains the one of the sandbox', async () => {
  const names =
    'NODE_EXTRA_CA_CERTS SSL_CERT_FILE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT CARGO_HTTP_CAINFO DENO_CERT AWS_CA_BUNDLE CURL_CA_BUNDLE';
  const mark = `$(sed -n 2p /usr/local/share/ca-certificates/sbx.crt)`;
  const script = `for name in ${names}; do grep -qF -- "${mark}" "$(printenv $name)" || echo "$name: $(printenv $name)"; done; echo done`;
  expect(await inside(p.dir, script)).toBe('done');
});

test('each sandbox trusts a certificate authority of its own, whose key is not in the guest', async () => {
  const { id } = await statusOf(p.dir);
  const { certificate, key } = JSON.parse(readFileSync(join(HOME, 'instances', id, 'authority.json'), 'utf8')) as {
    certificate: string;
    key: string;
  };
  expect(await inside(p.dir, 'cat /usr/local/share/ca-certificates/sbx.crt')).toBe(certificate.trim());
  const part = key.split('\n')[1] ?? '';
  expect(part).toMatch(/^.{64}$/);
  // Built from two halves, so that the search does not find itself.
  const search = `grep -rlF -- "${part.slice(0, 30)}""${part.slice(30)}" /etc /usr/local /root /home /run /tmp /var 2>/dev/null; echo done`;
  expect(await inside(p.dir, `sudo -n sh -c '${search}'`)).toBe('done');
  await using other = project('intercept-2', `version = 1\n${SMALL}`);
  await must(['apply', '--yes'], { cwd: other.dir });
  const theirs = await inside(other.dir, 'cat /usr/local/share/ca-certificates/sbx.crt');
  expect(theirs).toContain('BEGIN CERTIFICATE');
  expect(theirs).not.toBe(certificate.trim());
});

test('a changed rule is applied at once', async () => {
  p.write(toml([`${base}/left-pad`]));
  await must(['apply', '--accept-widening'], { cwd: p.dir });
  const codes = await inside(
    p.dir,
    `curl -sS -o /dev/null -w '%{http_code} ' ${url('/left-pad')}; curl -sS -o /dev/null -w '%{http_code}' ${url('/is-number')}`,
  );
  expect(codes).toBe('200 403');
});

test('net check gives the same verdict offline', async () => {
  const check = (path: string, method: string) =>
    sbx(['net', 'check', url(path), '--method', method, '--json'], { cwd: p.dir });
  expect(JSON.parse((await check('/left-pad', 'GET')).stdout)).toMatchObject({ allow: true });
  expect(JSON.parse((await check('/left-pad', 'PUT')).stdout)).toMatchObject({ allow: false, reason: 'http-rule' });
});

test('after a restart and after a reset, the guest trusts the certificates of its egress proxy', async () => {
  const ask = `curl -sS -o /dev/null -w '%{http_code}' ${url('/left-pad')}`;
  const before = await inside(p.dir, 'cat /usr/local/share/ca-certificates/sbx.crt');
  await must(['stop'], { cwd: p.dir });
  await must(['start'], { cwd: p.dir });
  expect(await inside(p.dir, 'cat /usr/local/share/ca-certificates/sbx.crt')).toBe(before);
  expect(await inside(p.dir, ask)).toBe('200');
  await must(['reset', '--yes', '--discard'], { cwd: p.dir });
  expect(await inside(p.dir, 'cat /usr/local/share/ca-certificates/sbx.crt')).not.toBe(before);
  expect(await inside(p.dir, ask)).toBe('200');
});
