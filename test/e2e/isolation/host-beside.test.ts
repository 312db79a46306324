/** The host's own programs work in the folder while a sandbox has it: nothing of sbx stands in it, and no edit disturbs the VM. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Condition, SandboxStatus } from '../../../lib/api/sandbox-status.ts';
import { type CaseFolder, caseFolder } from '../case-folder.ts';
import { HOME, inside, json, must, type Project, project, SHELL, sbx, statusOf, until } from '../harness.ts';
import { childPidOf } from './jail-permits.ts';

const TOML = `${SHELL}\n[workspace]\nhide = [".env", "secrets/"]\nreadonly = ["docs"]\n`;

describe('beside a running sandbox', () => {
  let p: Project;
  let folder: CaseFolder;
  let before: string[];

  beforeAll(async () => {
    p = project('beside', TOML);
    folder = caseFolder(p.dir);
    folder.write({
      '.gitignore': 'node_modules/\n.env\nsecrets/\n.watch\n',
      '.env': 'TOKEN=host-only\n',
      'secrets/key': 'host-only\n',
      'docs/a.md': 'a\n',
      'src/a.ts': 'a\n',
      '.vscode/settings.json': '{}\n',
    });
    folder.git('init', '-q', '-b', 'main');
    folder.git('add', '-A');
    folder.git('commit', '-qm', 'first');
    before = readdirSync(p.dir).toSorted();
    await must(['apply', '--yes'], { cwd: p.dir });
    // Lives on through everything below.
    await inside(
      p.dir,
      'nohup sh -c "while :; do date > /tmp/alive; sleep 0.2; done" >/dev/null 2>&1 & echo $! > /tmp/pid',
    );
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  const lives = async () => {
    expect(await inside(p.dir, 'kill -0 $(cat /tmp/pid) && echo lives')).toBe('lives');
    expect(await inside(p.dir, 'cat src/a.ts')).toBe(readFileSync(join(p.dir, 'src/a.ts'), 'utf8').trim());
  };

  test('nothing of sbx is in the folder, and git sees no change', async () => {
    expect(readdirSync(p.dir).toSorted()).toEqual(before);
    expect(folder.git('status', '--short')).toBe('');
  });

  test.each<[string, () => void]>([
    ['git clean -fdx of what the guest made', () => folder.git('clean', '-fdxq', '-e', '.env', '-e', 'secrets')],
    [
      'git stash -u and pop',
      () => {
        folder.write({ 'new/b': 'b', '.vscode/tasks.json': '{}' });
        folder.git('stash', '-qu');
        folder.git('stash', 'pop', '-q');
        folder.git('clean', '-fdq');
      },
    ],
    [
      'a checkout that removes and brings protected files',
      () => {
        folder.git('checkout', '-qb', 'other');
        folder.git('rm', '-rq', '.vscode', 'docs');
        folder.write({ '.mcp.json': '{}', '.envrc': 'x' });
        folder.git('add', '-A');
        folder.git('commit', '-qm', 'other');
        folder.git('checkout', '-q', 'main');
      },
    ],
    ['a merge that brings them', () => folder.git('merge', '-q', '--no-ff', '-m', 'merged', 'other')],
    [
      'a rebase',
      () => {
        folder.git('checkout', '-qb', 'topic', 'main~1');
        folder.write({ c: 'c' });
        folder.git('add', '-A');
        folder.git('commit', '-qm', 'topic');
        folder.git('rebase', '-q', 'main');
        folder.git('checkout', '-q', 'main');
      },
    ],
    [
      'sandbox.toml and .env removed and made again',
      () => {
        for (const name of ['sandbox.toml', '.env', 'secrets']) rmSync(join(p.dir, name), { recursive: true });
        expect(readdirSync(p.dir)).not.toContain('sandbox.toml');
        folder.write({ 'sandbox.toml': TOML, '.env': 'TOKEN=again\n', 'secrets/key': 'again\n' });
      },
    ],
    [
      'rm -rf of a folder that the guest uses',
      () => rmSync(join(p.dir, 'node_modules'), { recursive: true, force: true }),
    ],
  ])('%s', async (_name, edit) => {
    await inside(p.dir, 'mkdir -p node_modules/x && echo x > node_modules/x/a');
    edit();
    await lives();
  });

  test('what is hidden stays hidden, also when the host makes or renames it now', async () => {
    folder.write({ 'src/.env': 'host-only', plain: 'host-only' });
    renameSync(join(p.dir, 'plain'), join(p.dir, 'secrets/other'));
    const seen = await inside(
      p.dir,
      'cat .env src/.env secrets/key secrets/other 2>&1; ls -A . src; find . -name .git -prune -o -type f -print0 | xargs -0 cat',
    );
    expect(seen).not.toContain('host-only');
    expect(seen).not.toContain('again');
    expect(await inside(p.dir, 'ls -A')).not.toMatch(/^(\.env|secrets)$/m);
  });

  test('rules change in the running sandbox', async () => {
    const { pid } = await statusOf(p.dir);
    writeFileSync(join(p.dir, 'later'), 'host-only\n');
    expect(await inside(p.dir, 'cat later')).toBe('host-only');
    p.write(TOML.replace('hide = [', 'hide = ["later", ').replace('["docs"]', '["docs", "src"]'));
    const { changes } = await json<{ changes: { path: string; effect: string }[] }>(['apply'], { cwd: p.dir });
    expect(changes.map(({ path, effect }) => [path, effect])).toEqual([
      ['workspace.hide', 'live'],
      ['workspace.readonly', 'live'],
    ]);
    expect((await sbx(['exec', '--', 'cat', 'later'], { cwd: p.dir })).code).toBe(1);
    expect((await sbx(['exec', '--', 'touch', 'src/b'], { cwd: p.dir })).code).toBe(1);
    expect((await statusOf(p.dir)).pid).toBe(pid);
    await lives();
  });

  test('a killed workspace server is back at once, and the process lives', async () => {
    const { id } = await statusOf(p.dir);
    const server = serverOf(id);
    process.kill(server, 'SIGKILL');
    await until(async () => (await inside(p.dir, 'cat src/a.ts')) !== '');
    await lives();
    expect((await statusOf(p.dir)).id).toBe(id);
    expect(serverOf(id)).not.toBe(server);
  });

  test('rm leaves the folder as the host has it', async () => {
    const now = readdirSync(p.dir).toSorted();
    await must(['rm', '--yes', '--discard'], { cwd: p.dir });
    expect(readdirSync(p.dir).toSorted()).toEqual(now);
    expect(existsSync(join(p.dir, '.git/HEAD'))).toBe(true);
    execFileSync('git', ['-C', p.dir, 'fsck', '--no-progress']);
  });
});

test('a project folder that the host moves is followed, and one that it deletes disturbs no process', async () => {
  const p = project('moved', SHELL);
  // As a name has no capital letters
  const name = basename(p.dir).toLowerCase();
  const moved = `${p.dir}-moved`;
  const elsewhere = { cwd: tmpdir() };
  const run = async (script: string) =>
    (await must(['exec', '-w', '/tmp', name, '--', 'sh', '-c', script], elsewhere)).stdout;
  try {
    await must(['apply', '--yes'], { cwd: p.dir });
    renameSync(p.dir, moved);
    writeFileSync(join(moved, 'from-host'), 'here\n');
    expect(await run(`cat ${p.dir}/from-host; echo inside > ${p.dir}/from-guest`)).toBe('here\n');
    expect(readFileSync(join(moved, 'from-guest'), 'utf8')).toBe('inside\n');
    expect(await workspaceOf(name)).toMatchObject({ status: false, reason: 'FolderGone' });
    mkdirSync(p.dir);
    expect(await workspaceOf(name)).toMatchObject({ status: false, reason: 'FolderReplaced' });
    rmdirSync(p.dir);
    renameSync(moved, p.dir);
    expect(await workspaceOf(name)).toMatchObject({ status: true, reason: 'Served' });
    renameSync(p.dir, moved);
    rmSync(moved, { recursive: true });
    expect((await must(['ls'], elsewhere)).stdout).toContain(p.dir);
    expect(await run(`ls ${p.dir} 2>/dev/null; echo alive`)).toBe('alive\n');
    await must(['rm', name, '--yes', '--discard'], elsewhere);
    expect((await sbx(['inspect', name], elsewhere)).code).not.toBe(0);
  } finally {
    await sbx(['rm', name, '--yes', '--discard'], elsewhere);
    rmSync(moved, { recursive: true, force: true });
  }
});

/** The condition of `sbx ls --json`. */
async function workspaceOf(name: string): Promise<Condition | undefined> {
  const all = await json<SandboxStatus[]>(['ls'], { cwd: tmpdir() });
  return all.find((one) => one.name === name)?.conditions.find(({ type }) => type === 'Workspace');
}

/** The pid of the workspace server of a sandbox. */
function serverOf(id: string): number {
  const { key } = JSON.parse(readFileSync(join(HOME, 'instances', id, 'workspace.json'), 'utf8')) as { key: string };
  return childPidOf(join(HOME, 'workspaces', key, 'process.json'));
}
