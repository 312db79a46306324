/** A marked key, used by a real machine again and again, and then looked for in everything that the machine has. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditRecord } from '../../../lib/gateway/policy/types.ts';
import { HOME, inside, json, must, type Project, project, sbx, statusOf } from '../harness.ts';
import { type MarkedHosts, startMarkedHosts } from './marked-host.ts';
import { filesBelow, inFile, inMemory } from './memory-search.ts';

const API = 'api.credentials.test';
const GIT = 'git.credentials.test';
const OTHER = 'elsewhere.credentials.test';
const MEMORY = 512 * 1024 * 1024;
const marked = (prefix: string) => `${prefix}${randomBytes(40).toString('base64url').replaceAll(/[-_]/g, 'x')}`;
const KEY = marked('sk-ant-api03-');
const TOKEN = marked('ghp_');
const LOGIN = { access: marked('sk-ant-oat01-'), refresh: marked('sk-ant-ort01-') };
const TOML = `version = 1
[resources]
memory = "512MiB"
cpus = 1
[network]
allow = ["${API}", "${GIT}", "${OTHER}"]
# So that its requests are read.
[[network.http]]
host = "${OTHER}"
[[credentials]]
secret = "marked-key"
env = "API_KEY"
host = "${API}"
header = "x-api-key"
format = "{}"
[[credentials]]
secret = "marked-git"
env = "GIT_TOKEN"
host = "${GIT}"
format = "Basic x-access-token:{}"
[[credentials]]
secret = "never-set"
env = "NEVER_SET"
host = "${GIT}"
`;

let hosts: MarkedHosts;
let p: Project;
let keyInside: string;

const command = (args: string[], input?: string) =>
  must(args, { cwd: p.dir, env: hosts.environment, ...(input === undefined ? {} : { input }) });
const records = async () =>
  (await command(['net', 'log', '--json'])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord);

beforeAll(async () => {
  const tokens = { access_token: LOGIN.access, refresh_token: LOGIN.refresh, token_type: 'Bearer' };
  hosts = await startMarkedHosts({
    names: [API, GIT, OTHER],
    folder: join(HOME, 'marked-hosts'),
    answer(seen, response) {
      if (seen.url === '/oauth/token')
        response.setHeader('content-type', 'application/json').end(JSON.stringify(tokens));
      else response.setHeader('content-type', 'text/plain').end(`you sent ${JSON.stringify(seen.headers)}\n`);
    },
  });
  p = project('credentials', TOML);
  // Its environment is the daemon's: none of an earlier one may serve.
  await must(['daemon', 'stop', '--yes'], { cwd: p.dir });
  await command(['secret', 'set', 'marked-key'], `${KEY}\n`);
  await command(['secret', 'set', 'marked-git', '--sandbox', 'credentials-box'], 'of another sandbox');
  await command(['secret', 'set', 'marked-git', '--project', p.dir], TOKEN);
  const { stdout } = await command(['apply', '--accept-widening']);
  expect(stdout).not.toContain('marked-git');
  keyInside = await inside(p.dir, 'printf %s "$API_KEY"');
});
afterAll(async () => {
  for (const name of ['marked-key', 'marked-git'])
    for (const scope of [[], ['--project', p.dir], ['--sandbox', 'credentials-box']])
      await sbx(['secret', 'rm', name, ...scope], { cwd: p.dir });
  await p?.[Symbol.asyncDispose]();
  await must(['daemon', 'stop', '--yes'], { cwd: '/' });
  await hosts?.[Symbol.asyncDispose]();
});

test('the guest sees a placeholder of the same shape; the secret reaches the upstream, and is masked in its response', async () => {
  expect(keyInside).toMatch(/^sk-ant-api03-[A-Za-z0-9]+$/);
  expect(keyInside).toHaveLength(KEY.length);
  expect(keyInside).not.toBe(KEY);
  const said = await inside(
    p.dir,
    `curl -sS -H "x-api-key: $API_KEY" -H 'authorization: Bearer mine' https://${API}/v1`,
  );
  expect(hosts.seen.at(-1)?.headers).toMatchObject({ 'x-api-key': KEY });
  expect(hosts.seen.at(-1)?.headers.authorization).toBeUndefined();
  expect(said).toContain(`"x-api-key":"${keyInside}"`);
  expect((await records()).filter(({ host, verdict }) => host === API && verdict === 'allow').at(-1)?.detail).toBe(
    'with the secret marked-key',
  );
});

test('git over https logs in with the secret, with and without credentials of its own', async () => {
  await inside(p.dir, `curl -sS -u "x-access-token:$GIT_TOKEN" https://${GIT}/repo/info/refs`);
  const basic = `Basic ${Buffer.from(`x-access-token:${TOKEN}`).toString('base64')}`;
  expect(hosts.seen.at(-1)?.headers.authorization).toBe(basic);
  await inside(p.dir, `curl -sS https://${GIT}/repo/info/refs`);
  expect(hosts.seen.at(-1)?.headers.authorization).toBe(basic);
});

test('a placeholder for another host, in the query or in the body is denied with a hint, and recorded', async () => {
  const before = hosts.seen.length;
  const ask = (arguments_: string) => inside(p.dir, `curl -sS -w '%{http_code}' ${arguments_}`);
  expect(await ask(`-H "x-api-key: $API_KEY" https://${OTHER}/v1`)).toMatch(
    /API_KEY is a placeholder for a secret of the host\. It is valid for api\.credentials\.test.*403$/s,
  );
  expect(await ask(`"https://${API}/v1?q=$API_KEY"`)).toMatch(/in the query.*403$/s);
  expect(await ask(`-d "say $API_KEY" https://${API}/v1`)).toMatch(/in the body.*403$/s);
  expect(hosts.seen).toHaveLength(before);
  const details = (await records()).filter(({ reason }) => reason === 'refused').map(({ detail }) => detail);
  expect(details).toEqual([
    'placeholder of API_KEY sent to another host',
    'placeholder of API_KEY in the query',
    'placeholder of API_KEY in the body',
  ]);
});

test('the tokens of a login stay on the host and work for their requests', async () => {
  const answer = JSON.parse(await inside(p.dir, `curl -sS -d '{}' https://${API}/oauth/token`)) as Record<
    string,
    string
  >;
  expect(answer['token_type']).toBe('Bearer');
  const { access_token: access = '', refresh_token: refresh = '' } = answer;
  expect([access, refresh]).not.toContain(LOGIN.access);
  await inside(p.dir, `curl -sS -H 'authorization: Bearer ${access}' https://${API}/v1/me`);
  expect(hosts.seen.at(-1)?.headers.authorization).toBe(`Bearer ${LOGIN.access}`);
  const body = `grant_type=refresh_token&refresh_token=${refresh}`;
  await inside(p.dir, `curl -sS -d '${body}' https://${API}/oauth/token`);
  expect(hosts.seen.at(-1)?.body).toBe(`grant_type=refresh_token&refresh_token=${LOGIN.refresh}`);
});

test('secrets are listed without values; plan notes unset and unreachable ones', async () => {
  const listed = await json<{ name: string; scope: { dir?: string } }[]>(['secret', 'ls'], { cwd: p.dir });
  expect(listed.filter(({ name, scope }) => name === 'marked-git' && scope.dir === p.dir)).toHaveLength(2);
  expect(JSON.stringify(listed)).not.toContain(KEY);
  expect(await inside(p.dir, 'printf %s "$' + '{NEVER_SET-none}"')).toBe('none');
  p.write(`${TOML}[[credentials]]\nsecret = "unset"\nenv = "UNSET"\nhost = "other.credentials.test"\n`);
  const { stdout } = await command(['plan']);
  expect(stdout).toMatch(/note: no secret for other\.credentials\.test is set: run `sbx secret set unset`/);
  expect(stdout).toMatch(/note: UNSET is for other\.credentials\.test, which no request can reach: .*sandbox\.toml:/);
  p.write(TOML);
});

test('the secret is nowhere in the memory, disk, logs and processes of the guest; its placeholder is in each', async () => {
  const { id } = await statusOf(p.dir);
  await inside(p.dir, 'printf %s "$API_KEY" > ~/placeholder && sync');
  const words = [KEY, TOKEN, LOGIN.access, LOGIN.refresh, keyInside];
  expect(await inMemory(id, words, MEMORY)).toEqual([keyInside]);
  const instance = join(HOME, 'instances', id);
  expect(await inFile(join(instance, 'disk.qcow2'), words)).toEqual([keyInside]);
  // Begun with the environment of any command, and looked at from outside: the word must not be in the search itself.
  const processes = await inside(
    p.dir,
    "sleep 60 & sudo -n sh -c 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline' 2>/dev/null; kill $!; true",
  );
  expect(words.filter((word) => processes.includes(word))).toEqual([keyInside]);
  const secrets = join(HOME, 'secrets');
  const files = filesBelow(HOME, (path) => [secrets, join(HOME, 'store'), join(instance, 'disk.qcow2')].includes(path));
  expect(files).toContain(join(instance, 'audit.jsonl'));
  expect(files).toContain(join(HOME, 'daemon', 'log'));
  const holders = [];
  for (const file of files) if ((await inFile(file, words.slice(0, -1))).length > 0) holders.push(file);
  expect(holders).toEqual([]);
  expect(await inFile(join(secrets, 'values.json'), words.slice(0, -1))).toEqual(words.slice(0, -1));
  expect(readFileSync(`/proc/${(await statusOf(p.dir)).pid}/cmdline`, 'utf8')).not.toContain(KEY);
});

test('a changed secret is used from the next request on; a removed one disappears from the environment', async () => {
  const next = marked('sk-ant-api03-');
  await command(['secret', 'set', 'marked-key'], next);
  await inside(p.dir, `curl -sS -H "x-api-key: $API_KEY" https://${API}/v1`);
  expect(hosts.seen.at(-1)?.headers['x-api-key']).toBe(next);
  expect(await inside(p.dir, 'printf %s "$API_KEY"')).toBe(keyInside);
  await command(['secret', 'rm', 'marked-key']);
  expect(await inside(p.dir, 'printf %s "$' + '{API_KEY-none}"')).toBe('none');
  await inside(p.dir, `curl -sS -H 'x-api-key: mine' https://${API}/v1`);
  expect(hosts.seen.at(-1)?.headers['x-api-key']).toBeUndefined();
  await command(['secret', 'set', 'marked-key', '--command', `printf %s ${KEY.replace('-', '\\-')}`]);
  await inside(p.dir, `curl -sS -H "x-api-key: $API_KEY" https://${API}/v1`);
  expect(hosts.seen.at(-1)?.headers['x-api-key']).toBe(KEY);
});

test('placeholders are kept when the daemon or the sandbox restarts, and new after a reset', async () => {
  await command(['daemon', 'stop']);
  await command(['ls']);
  const ask = `curl -sS -o /dev/null -H "x-api-key: $API_KEY" https://${API}/v1; printf %s "$API_KEY"`;
  expect(await inside(p.dir, ask)).toBe(keyInside);
  expect(hosts.seen.at(-1)?.headers['x-api-key']).toBe(KEY);
  await command(['stop']);
  await command(['start']);
  expect(await inside(p.dir, ask)).toBe(keyInside);
  await command(['reset', '--yes', '--discard']);
  expect(await inside(p.dir, ask)).not.toBe(keyInside);
  expect(hosts.seen.at(-1)?.headers['x-api-key']).toBe(KEY);
  const { id } = await statusOf(p.dir);
  expect(existsSync(join(HOME, 'instances', id, 'credential-placeholders.json'))).toBe(true);
});
