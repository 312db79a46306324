/** Stand-ins and logins of sandboxes on a real disk: what stays, what goes, who reads. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Credentials, createCredentials } from '../../../../../lib/engine/local/credentials/credentials.ts';
import type { InspectedRequest } from '../../../../../lib/gateway/http/inspector.ts';
import { type Home, homeOf, instancePaths } from '../../../../../lib/paths.ts';
import { openSecrets, type Secrets } from '../../../../../lib/secrets/secrets.ts';
import type { CredentialSpec, SandboxSpec } from '../../../../../lib/spec/spec.ts';
import { spec } from '../../../../unit/plan/spec.ts';

const KEY = 'ghp_REAL0123456789abcdefghijklmnopqrst';
const one = (change: Partial<CredentialSpec> = {}): CredentialSpec => ({
  secret: 'key',
  env: 'KEY',
  host: 'api.test',
  header: 'authorization',
  format: 'Bearer {}',
  source: 'default',
  ...change,
});
const SPEC = spec({ credentials: [one(), one({ secret: 'unset', env: 'UNSET' })] });

let home: Home;
let secrets: Secrets;
let credentials: Credentials;
const open = (ids: string[]) =>
  createCredentials({ home, secrets: openSecrets(home), refOf: (id) => ({ dir: '/p', name: id }), ids });

beforeEach(async () => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-creds-')) });
  for (const id of ['a', 'b']) mkdirSync(instancePaths(home, id).dir, { recursive: true });
  secrets = openSecrets(home);
  await secrets.set({ name: 'key', scope: { kind: 'all' }, source: { kind: 'value' }, value: KEY });
  credentials = open([]);
});
afterEach(() => rmSync(home.root, { recursive: true, force: true }));

const placeholderOf = async (from: Credentials, id: string, of: SandboxSpec = SPEC) =>
  (await from.environment(id, of))['KEY'] ?? '';
const message = (change: Partial<InspectedRequest>): InspectedRequest => ({
  method: 'GET',
  host: 'api.test',
  port: 443,
  secure: true,
  target: '/',
  headers: [],
  ...change,
});
const ask = (from: Credentials, id: string, change: Partial<InspectedRequest>) =>
  from.inspector(id).request(message(change));

test('a placeholder is each sandbox’s own, stays for its life, and lies in a file of the user alone', async () => {
  const mine = await placeholderOf(credentials, 'a');
  expect(mine).toMatch(/^ghp_sbxplace/);
  expect(mine).toHaveLength(KEY.length);
  expect(await placeholderOf(credentials, 'b')).not.toBe(mine);
  expect(await placeholderOf(open(['a']), 'a')).toBe(mine);
  const file = instancePaths(home, 'a').placeholders;
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain('REAL');
  await credentials.renew('a');
  expect(await placeholderOf(credentials, 'a')).not.toBe(mine);
});

test('a secret that is not set has no variable; a damaged file is made again', async () => {
  expect(Object.keys(await credentials.environment('a', SPEC))).toEqual(['KEY']);
  writeFileSync(instancePaths(home, 'a').placeholders, '{"version":1,');
  expect(await placeholderOf(credentials, 'a')).toMatch(/^ghp_/);
});

test('after a restart of the daemon every sandbox’s placeholder is still known at every other’s listener', async () => {
  const mine = await placeholderOf(credentials, 'a');
  const later = open(['a', 'b']);
  later.bind('a', SPEC);
  later.bind('b', SPEC);
  expect(await ask(later, 'a', { headers: [['Authorization', `Bearer ${mine}`]] })).toMatchObject({
    headers: expect.arrayContaining([['authorization', `Bearer ${KEY}`]]),
  });
  expect(await ask(later, 'b', { headers: [['Authorization', `Bearer ${mine}`]] })).toMatchObject({
    denial: { status: 403, reason: 'placeholder of another sandbox' },
  });
});

test('what is bound is what was applied last', async () => {
  credentials.bind('a', SPEC);
  const inspector = credentials.inspector('a');
  expect(inspector.wants('api.test', 443)).toBe(true);
  credentials.bind('a', spec({ credentials: [one({ host: 'other.test:8443' })] }));
  expect([inspector.wants('api.test', 443), inspector.wants('other.test', 8443)]).toEqual([false, true]);
});

test('logins outlive the daemon, are this sandbox’s alone, and go with it', async () => {
  credentials.bind('a', SPEC);
  const inspector = credentials.inspector('a');
  const token = 'REALtoken0123456789abcdef';
  const headers: [string, string][] = [['Content-Type', 'application/json']];
  const { body } = inspector.response({
    host: 'api.test',
    port: 443,
    status: 200,
    reasonPhrase: 'OK',
    headers,
    hasBody: true,
  });
  body?.end(JSON.stringify({ access_token: token }));
  let text = '';
  for await (const part of body ?? []) text += String(part);
  const { access_token: placeholder } = JSON.parse(text) as { access_token: string };
  expect(placeholder).not.toBe(token);
  const login: [string, string][] = [['Authorization', `Bearer ${placeholder}`]];
  const settled = { headers: expect.arrayContaining([['Authorization', `Bearer ${token}`]]) };
  await expect.poll(() => readFileSync(home.secrets.values, 'utf8')).toContain(token);
  const later = open(['a']);
  later.bind('a', SPEC);
  expect(await ask(later, 'a', { headers: login })).toMatchObject(settled);
  await later.forget('a');
  expect(readFileSync(home.secrets.values, 'utf8')).not.toContain(token);
});

test('a command that fails says why inside, and nothing of what it printed', async () => {
  const argv = [process.execPath, '-e', `console.log('${KEY}');process.exit(7)`];
  const source = { kind: 'command', argv, cacheSeconds: 0 } as const;
  await secrets.set({ name: 'key', scope: { kind: 'all' }, source });
  credentials.bind('a', SPEC);
  const answer = await ask(credentials, 'a', {});
  expect(JSON.stringify(answer)).not.toContain('REAL');
  expect(answer).toMatchObject({ denial: { status: 502, text: expect.stringMatching(/it exited with code 7/) } });
  expect(await placeholderOf(credentials, 'a')).toMatch(/sbxplace/);
});
