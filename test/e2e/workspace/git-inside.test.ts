/** Git in the sandbox does what it does on a disk, and the host's git meets nothing of it but commits and branches. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CaseFolder, caseFolder } from '../case-folder.ts';
import { inside, must, type Project, project, SHELL, sbx } from '../harness.ts';

const SCRIPT = `set -e
git config user.name a; git config user.email a@b; test "$(git config user.name)" = a
echo 1 > f; git add f; git commit -qm one
git init -q nested; cd nested; git config user.name a; git config user.email a@b
echo x > y; git add y; git commit -qm nested; cd ..
git clone -q nested cloned; test -z "$(git -C cloned status --short)"
git init -q --bare /tmp/remote.git; git remote add origin /tmp/remote.git; git push -qu origin HEAD
git switch -qc topic; echo 2 > f; git commit -qam two
echo 3 > f; git stash -q; git stash pop -q; git checkout -q f
git rebase -q main; git switch -qc tracking origin/main; git switch -q topic
git worktree add -q tree tracking; test -f tree/f
git -c protocol.file.allow=always submodule --quiet add "$PWD/nested" module; git submodule --quiet status
git commit -qm module
echo '#!/bin/sh' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; git commit -q --allow-empty -m hooked
git gc -q; git fsck --no-progress
mkfifo pipe; test -p pipe; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sock')" 2>/dev/null || true
`;

describe('git in the sandbox', () => {
  let p: Project;
  let folder: CaseFolder;
  let config: string;

  beforeAll(async () => {
    p = project('git-inside', SHELL);
    folder = caseFolder(p.dir);
    folder.git('init', '-q', '-b', 'main');
    config = readFileSync(join(p.dir, '.git/config'), 'utf8');
    await must(['apply', '--yes'], { cwd: p.dir });
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  test('configures, commits, clones, pushes, stashes, rebases, adds work trees and submodules', async () => {
    const { code, stderr } = await sbx(['exec', '-i', '--', 'sh', '-s'], { cwd: p.dir, input: SCRIPT });
    expect(stderr).not.toContain('error:');
    expect(code, stderr).toBe(0);
  });

  test('the host has its commits and branches, its own configuration and hooks, and no other repository', () => {
    expect(folder.git('log', '--format=%s', 'topic').split('\n').slice(0, 4)).toEqual([
      'hooked',
      'module',
      'two',
      'one',
    ]);
    expect(readFileSync(join(p.dir, '.git/config'), 'utf8')).toBe(config);
    expect(existsSync(join(p.dir, '.git/hooks/pre-commit'))).toBe(false);
    const repositories = (readdirSync(p.dir, { recursive: true }) as string[]).filter((name) =>
      /(^|\/)\.git$/.test(name),
    );
    expect(repositories).toEqual(['.git']);
    expect(readdirSync(p.dir)).not.toContain('pipe');
    execFileSync('git', ['-C', p.dir, 'fsck', '--no-progress'], { stdio: 'pipe' });
  });

  test('what is private survives a stop, and a reset removes it', async () => {
    await must(['stop'], { cwd: p.dir });
    await must(['start'], { cwd: p.dir });
    expect(await inside(p.dir, 'git config user.name; git -C nested log --format=%s; test -p pipe && echo pipe')).toBe(
      'a\nnested\npipe',
    );
    const refused = await sbx(['reset', '--yes'], { cwd: p.dir });
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('private files')]);
    await must(['reset', '--yes', '--discard'], { cwd: p.dir });
    expect(await inside(p.dir, 'git config --local user.name; ls -A nested; ls pipe 2>/dev/null; echo end')).toBe(
      'y\nend',
    );
  });
});
