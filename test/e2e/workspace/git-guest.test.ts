/** Git in the sandbox has the user of the host, trusts what it is served, and shares the index of the host without reading every file again. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CaseFolder, caseFolder } from '../case-folder.ts';
import { inside, must, type Project, project, SHELL } from '../harness.ts';

const FILES = 1000;

let p: Project;
let folder: CaseFolder;

beforeAll(async () => {
  p = project('git-guest', SHELL);
  folder = caseFolder(p.dir);
  folder.git('init', '-q', '-b', 'main');
  mkdirSync(join(p.dir, 'src'));
  for (let at = 0; at < FILES; at += 1) writeFileSync(join(p.dir, `src/${at}`), `${at}\n`);
  folder.git('add', '.');
  folder.git('commit', '-qm', 'first');
  await must(['apply', '--yes'], { cwd: p.dir });
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
});

const asRoot = (script: string) => must(['exec', '--user', 'root', '--', 'sh', '-c', script], { cwd: p.dir });

/** `scripts/test.mjs` gives its test user a name; another user of the tests may have none. */
test("git has the user of the host's own configuration, and commits as that user", async () => {
  const keys = ['user.name', 'user.email'];
  const host = keys.map((key) => spawnSync('git', ['config', '--global', key], { cwd: '/', encoding: 'utf8' }).stdout);
  expect(await inside(p.dir, 'git config user.name; git config user.email; echo end')).toBe(`${host.join('')}end`);
  const script = 'echo 1 > new && git add new && git commit -qm inside && git log -1 --format="%an <%ae>" || echo none';
  const [name, email] = host.map((line) => line.trim());
  expect(await inside(p.dir, script)).toBe(name === '' ? 'none' : `${name} <${email}>`);
});

test("the image's own file is kept, and counts more", async () => {
  await asRoot('git config --system user.name image');
  await must(['restart'], { cwd: p.dir });
  expect(
    await inside(p.dir, 'git config user.name; git config core.checkStat; grep -c sbx.gitconfig /etc/gitconfig'),
  ).toBe('image\nminimal\n1');
});

test("root's git works in the workspace", async () => {
  expect((await asRoot('git status --short && git config --get-all safe.directory')).stdout).toContain(p.dir);
});

test('after `git status` on the host no file is read again inside, which it is without checkStat', async () => {
  folder.git('status');
  execFileSync('sleep', ['1']);
  folder.git('update-index', '--really-refresh');
  const stale = (flags: string) => inside(p.dir, `git ${flags} diff-files --name-only | wc -l`).then(Number);
  expect(await stale('')).toBe(0);
  expect(await stale('-c core.checkStat=default')).toBeGreaterThanOrEqual(FILES);
});
