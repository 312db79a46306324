/** A project whose repository lies outside of it: git in the sandbox works, once that was approved. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CaseFolder, caseFolder } from '../case-folder.ts';
import { inside, must, type Project, project, SHELL, sbx } from '../harness.ts';

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

describe('of a repository with packages and a submodule,', () => {
  let base: string;
  let mono: CaseFolder;
  const at = (path: string) => join(base, path);
  const run = (cwd: string, input: string) => sbx(['exec', '-i', '--', 'sh', '-s'], { cwd, input });

  beforeAll(() => {
    base = `${p.dir}-mono`;
    const lib = caseFolder(at('lib'));
    lib.git('init', '-q', '-b', 'main');
    lib.git('commit', '-q', '--allow-empty', '-m', 'first');
    lib.git('config', 'receive.denyCurrentBranch', 'ignore');
    mono = caseFolder(at('mono'));
    mono.git('init', '-q', '-b', 'main');
    mono.write({ '.gitignore': 'ignored\n', 'packages/other/secret': 'secret\n', 'packages/shop/a': '1\n' });
    mono.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', at('lib'), 'libs/x');
    for (const folder of ['packages/shop', 'libs/x'])
      mono.write({ [`${folder}/sandbox.toml`]: SHELL.replace('version = 1', `version = 1\nname = "sub"`) });
    mono.git('add', '-A');
    mono.git('commit', '-q', '-m', 'first');
    utimesSync(at('mono/packages/other/secret'), 1e9, 1e9);
    mono.git('status');
  });
  afterAll(async () => {
    for (const folder of ['mono/packages/shop', 'mono/libs/x'])
      await sbx(['rm', '--all', '--yes', '--discard'], { cwd: at(folder) });
    rmSync(base, { recursive: true, force: true });
  });

  test('a subfolder: nothing around it is missing for git, or shown', async () => {
    const cwd = at('mono/packages/shop');
    expect((await must(['plan'], { cwd })).stdout).toContain(`workspace.repositoryTop: null → ${at('mono')} `);
    await must(['apply', '--yes', '--accept-widening'], { cwd });
    const script = `set -e
test -z "$(git status --porcelain)"
echo 2 >> a; echo x > ignored; git add -A; git commit -qm inside
test "$(git show --name-only --format=)" = packages/shop/a
echo 3 >> a; git stash -q; git stash pop -q; git commit -qam next
! cat ../other/secret; test -z "$(ls ../other)"; ! touch ../other/new
git config core.fsmonitor "touch ${at('ran')}"; git config core.hooksPath /tmp`;
    const { code, stderr } = await run(cwd, script);
    expect(code, stderr).toBe(0);
    expect(mono.git('log', '-2', '--format=%s', '--name-only')).toBe(
      'next\n\npackages/shop/a\ninside\n\npackages/shop/a\n',
    );
    expect(mono.git('status', '--porcelain', '--ignore-submodules')).toBe('');
    expect(mono.git('config', '--get', 'core.bare')).toBe('false\n');
    expect(existsSync(at('ran'))).toBe(false);
  });

  test('a submodule: git commits in its git folder, whose configuration stays as it is', async () => {
    const cwd = at('mono/libs/x');
    const folder = at('mono/.git/modules/libs/x');
    expect((await must(['plan'], { cwd })).stdout).toContain(`workspace.repository: null → ${folder} `);
    await must(['apply', '--yes', '--accept-widening'], { cwd });
    const config = readFileSync(join(folder, 'config'), 'utf8');
    const script = `set -e
git status --short; git add sandbox.toml; git commit -qm inside; git config core.fsmonitor "touch ${at('ran')}"
git clone -q --bare . /tmp/other; git remote set-url origin /tmp/other; git push -q origin HEAD:main`;
    const { code, stderr } = await run(cwd, script);
    expect(code, stderr).toBe(0);
    expect(caseFolder(cwd).git('log', '-1', '--format=%s')).toBe('inside\n');
    expect(mono.git('status', '--porcelain')).toBe(' M libs/x\n');
    expect(readFileSync(join(folder, 'config'), 'utf8')).toBe(config);
    expect(existsSync(at('ran'))).toBe(false);
  });
});
