/** A project that is a worktree: git in the sandbox works in its repository, once that was approved. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CaseFolder, caseFolder } from './case-folder.ts';
import { inside, must, type Project, project, SHELL, sbx } from './harness.ts';

let p: Project;
let outer: string;
let folder: CaseFolder;

beforeAll(() => {
  p = project('git-worktree', SHELL);
  const toml = readFileSync(join(p.dir, 'sandbox.toml'), 'utf8');
  outer = `${p.dir}-repository`;
  mkdirSync(outer);
  const repository = caseFolder(outer);
  repository.git('init', '-q', '-b', 'main');
  repository.git('commit', '-q', '--allow-empty', '-m', 'first');
  rmSync(p.dir, { recursive: true });
  repository.git('worktree', 'add', '-q', '-b', 'topic', p.dir);
  folder = caseFolder(p.dir);
  writeFileSync(join(p.dir, 'sandbox.toml'), toml);
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
  rmSync(outer, { recursive: true, force: true });
});

test('plan names the repository as a widening', async () => {
  const { stdout } = await must(['plan'], { cwd: p.dir });
  expect(stdout).toContain(`workspace.repository: nothing → ${outer}/.git`.replace('nothing', 'null'));
  expect(stdout).toContain('WIDENS');
});

test('without the approval the sandbox works, git does not, and it is said', async () => {
  const { stdout, stderr } = await must(['apply', '--yes'], { cwd: p.dir });
  expect(`${stdout}${stderr}`).toContain(`its repository ${outer}/.git is outside of the project and was not approved`);
  expect(await inside(p.dir, `git status 2>&1; ls -d ${outer} 2>&1; echo end`)).toMatch(
    /not a git repository.*No such file.*end/s,
  );
});

test('with it, git inside commits in it, makes worktrees, and changes no configuration of the host', async () => {
  await must(['apply', '--accept-widening'], { cwd: p.dir });
  const config = readFileSync(join(outer, '.git/config'), 'utf8');
  const script = `set -e
git status --short; echo 1 > f; git add f; git -c user.name=a -c user.email=a@b commit -qm inside
git config user.name other; test "$(git config user.name)" = other
git worktree add -q -b below below; git worktree add -q -b beside /home/agent/beside
echo '#!/bin/sh' > "$(git rev-parse --git-path hooks)/pre-commit"; ls ${outer}`;
  const { code, stdout, stderr } = await sbx(['exec', '-i', '--', 'sh', '-s'], { cwd: p.dir, input: script });
  expect(code, stderr).toBe(0);
  // Nothing of the repository's own work tree is served.
  expect(stdout.trimEnd()).not.toContain('\n.git');
  expect(folder.git('log', '-1', '--format=%s', 'topic')).toBe('inside\n');
  expect(readFileSync(join(outer, '.git/config'), 'utf8')).toBe(config);
  expect(existsSync(join(outer, '.git/hooks/pre-commit'))).toBe(false);
});

test('a pointer to another repository is not followed', async () => {
  const victim = `${outer}/victim`;
  mkdirSync(victim);
  caseFolder(victim).git('init', '-q');
  renameSync(join(p.dir, '.git'), join(outer, 'pointer'));
  writeFileSync(join(p.dir, '.git'), `gitdir: ${victim}/.git\n`);
  const { stdout } = await must(['plan'], { cwd: p.dir });
  expect(stdout).not.toContain('victim');
  renameSync(join(outer, 'pointer'), join(p.dir, '.git'));
});
