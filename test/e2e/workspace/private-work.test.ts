/** What a sandbox changes for itself alone is shown, taken over and not lost unasked. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DiffResult } from '../../../lib/api/work-contract.ts';
import { inside, json, must, type Project, project, SHELL, sbx } from '../harness.ts';

let p: Project;
const host = (name: string) => join(p.dir, name);

beforeAll(async () => {
  p = project('private-work', SHELL);
  writeFileSync(host('.envrc'), 'one\ntwo\n');
  await must(['apply', '--yes'], { cwd: p.dir });
  await inside(
    p.dir,
    'echo 2 > .envrc; mkfifo pipe; git init -q repo; echo x > plain; mkdir .vscode; echo {} > .vscode/t.json',
  );
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
});

const changes = async (args: string[] = []) =>
  ((await json<DiffResult>(['diff', ...args], { cwd: p.dir })).changes ?? []).map(
    ({ path, kind }) => `${kind} ${path}`,
  );

test('diff shows it, and nothing that is on the host already', async () => {
  const { stdout } = await must(['diff'], { cwd: p.dir });
  expect(stdout).toContain('--- a/.envrc\n+++ b/.envrc\n@@ -1,2 +1 @@\n-one\n-two\n+2\n');
  expect(stdout).toMatch(/folder: repo\/\.git \(\d+ files, \d+ bytes\)/);
  expect(stdout).toContain('special file: pipe');
  expect(stdout).not.toContain('plain');
  expect(await changes([basename(p.dir).toLowerCase(), '.vscode'])).toEqual(['folder .vscode', 'file .vscode/t.json']);
});

test('accept refuses unasked, takes over what was shown, and the sandbox has the file of the host then', async () => {
  const refused = await sbx(['accept', '.envrc', '--yes'], { cwd: p.dir });
  expect([refused.code, readFileSync(host('.envrc'), 'utf8')]).toEqual([4, 'one\ntwo\n']);
  await must(['accept', '.envrc', '--yes', '--accept-protected'], { cwd: p.dir });
  expect(readFileSync(host('.envrc'), 'utf8')).toBe('2\n');
  writeFileSync(host('.envrc'), 'host\n');
  await expect.poll(() => inside(p.dir, 'cat .envrc'), { timeout: 60_000 }).toBe('host');
  expect((await sbx(['accept', 'repo', '--yes', '--accept-protected'], { cwd: p.dir })).code).toBe(1);
  expect(existsSync(host('repo/.git'))).toBe(false);
});

test('names that are no UTF-8, in the workspace and in what is private, do not block the next start', async () => {
  const named = (script: string) => inside(p.dir, `bad=$(printf 'b\\377d'); ${script}`);
  await named(
    'mkdir "$bad" ".vscode/$bad"; for at in "$bad" ".vscode/$bad"; do echo "$at" >"$at/$bad"; done; mkfifo "$bad/p$bad"',
  );
  expect(readdirSync(p.dir, { encoding: 'buffer' })).toContainEqual(Buffer.from('b\xffd', 'latin1'));
  await must(['stop'], { cwd: p.dir });
  await must(['diff'], { cwd: p.dir });
  await must(['daemon', 'stop'], { cwd: p.dir });
  await must(['start'], { cwd: p.dir });
  expect(
    await named('cat "$bad/$bad" ".vscode/$bad/$bad" | od -An -c | tr -d " \\n"; test -p "$bad/p$bad" && echo p'),
  ).toBe('b377d\\n.vscode/b377d\\np');
  // The one in .vscode stays: what is private is also removed under such names. Node could not remove the other one.
  await named('rm -r "$bad"');
});

test('it is shown and taken over while the sandbox is stopped', async () => {
  await must(['stop'], { cwd: p.dir });
  expect(await changes()).toContain('file .vscode/t.json');
  await must(['accept', '.vscode/t.json', '--yes', '--accept-protected'], { cwd: p.dir });
  expect(readFileSync(host('.vscode/t.json'), 'utf8')).toBe('{}\n');
  await must(['start'], { cwd: p.dir });
});

test('an apply that would lose it is refused', async () => {
  // The sandbox of that name is removed.
  p.write(readFileSync(host('sandbox.toml'), 'utf8').replace('version = 1', 'version = 1\nname = "another"'));
  const { code, stderr } = await sbx(['apply', '--yes'], { cwd: p.dir });
  expect([code, stderr]).toEqual([4, expect.stringContaining('private files')]);
  expect(await inside(p.dir, 'test -p pipe && echo there', [basename(p.dir).toLowerCase()])).toBe('there');
  await must(['apply', '--yes', '--discard'], { cwd: p.dir });
  expect(await changes()).toEqual([]);
});

test('reset and rm remove folders that the guest has closed', async () => {
  const close = 'git init -q shut; mkdir shut/.git/in; touch shut/.git/in/file; chmod 0 shut/.git/in';
  await inside(p.dir, close);
  await must(['reset', '--yes', '--discard'], { cwd: p.dir });
  expect(await changes()).toEqual([]);
  await inside(p.dir, close);
  await must(['rm', '--all', '--yes', '--discard'], { cwd: p.dir });
});
