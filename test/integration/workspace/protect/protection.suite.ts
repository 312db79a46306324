/** The whole of it, for whichever user calls. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ATTACKS, repository } from './attacks.ts';
import { inJail, makeWorkspace } from './jail.ts';

const withTemplate = (path: string) => ({ configFiles: [join(path, 'team/node.toml')] });

export function describeProtection(): void {
  describe('a guest cannot touch', () => {
    test.each(ATTACKS)('$name', async ({ given, wishes, script, worked }) => {
      const workspace = makeWorkspace();
      given(workspace);
      const { jailMounts } = await workspace.prepare({ ...withTemplate(workspace.path), ...wishes });
      const { output } = await inJail(workspace, jailMounts, script);
      expect(worked(workspace, output), output).toBe(false);
    });
  });

  describe('without the mounts it would have touched', () => {
    test.each(ATTACKS)('$name', async ({ given, script, worked }) => {
      const workspace = makeWorkspace();
      given(workspace);
      const bare = [{ source: workspace.path, target: '/export/ws', readonly: false }];
      const { output } = await inJail(workspace, bare, script);
      expect(worked(workspace, output), output).toBe(true);
    });
  });

  test('the guest commits, branches, stashes and packs, and the host sees it', async () => {
    const workspace = makeWorkspace();
    repository(workspace);
    workspace.write({ '.gitignore': '.token\n' });
    const { jailMounts } = await workspace.prepare({ hide: ['.env', '.token'] });
    const script =
      'set -e; echo b > b; git add -A; git commit -qm second; git checkout -q -b topic; echo c > b; git stash -q; git stash pop -q; git commit -qam third; git gc -q; git status --short';
    expect(await inJail(workspace, jailMounts, script)).toEqual({ code: 0, output: '' });
    workspace.release();
    expect(workspace.git('log', '--format=%s', 'topic')).toBe('third\nsecond\nfirst\n');
    // Nothing that was only made up is in the commits.
    expect(workspace.git('ls-tree', '-r', '--name-only', 'topic')).toBe('.gitignore\nb\nsrc/a.ts\n');
    expect(workspace.git('fsck')).not.toContain('error');
  });

  test('the host uses git while a sandbox has the workspace, and sees no mount stubs', async () => {
    const workspace = makeWorkspace();
    repository(workspace);
    await workspace.prepare({ hide: ['.env'] });
    expect(workspace.git('status', '--short')).toBe('');
    workspace.write({ b: 'b' });
    workspace.git('add', '-A');
    workspace.git('commit', '-qm', 'second');
    workspace.git('worktree', 'add', '-q', '../tree');
    workspace.git('gc', '-q');
    expect(workspace.git('show', '--name-only', '--format=', 'HEAD')).toBe('b\n');
    expect(workspace.git('rev-parse', '--git-dir', '--show-toplevel')).toBe(`.git\n${workspace.path}\n`);
  });

  test('an empty git folder is no repository for the host, and becomes one by git init', async () => {
    const workspace = makeWorkspace();
    execFileSync('git', ['init', '-q', workspace.home], { env: { PATH: process.env['PATH'] } });
    await workspace.prepare();
    expect(workspace.git('rev-parse', '--show-toplevel')).toBe(`${workspace.home}\n`);
    workspace.git('init', '-q');
    workspace.release();
    expect(workspace.git('rev-parse', '--show-toplevel')).toBe(`${workspace.path}\n`);
  });

  test('mount stubs are gone after the stop, also when the VM was killed', async () => {
    const workspace = makeWorkspace();
    repository(workspace);
    const before = listing(workspace.path);
    await workspace.prepare({ hide: ['.env', 'conf/token'], readonly: ['deploy'] });
    expect(listing(workspace.path)).not.toEqual(before);
    await workspace.prepare({ hide: ['.env', 'conf/token'], readonly: ['deploy'] });
    workspace.release();
    expect(listing(workspace.path)).toEqual(before);
    workspace.release();
    expect(listing(workspace.path)).toEqual(before);
  });

  test('what the host has used meanwhile stays', async () => {
    const workspace = makeWorkspace();
    await workspace.prepare({ hide: ['.env', '.token'] });
    workspace.write({ '.claude/settings.json': '{}', '.env': 'A=1' });
    rmSync(join(workspace.path, '.vscode'), { recursive: true });
    mkdirSync(join(workspace.path, '.vscode'));
    rmSync(join(workspace.path, '.token'));
    writeFileSync(join(workspace.path, '.token'), '');
    workspace.release();
    expect(listing(workspace.path)).toEqual(['.claude', '.claude/settings.json', '.env', '.token', '.vscode']);
  });

  test('two sandboxes of one workspace: what one still needs stays when the other stops', async () => {
    const workspace = makeWorkspace();
    await workspace.prepare({}, 'one');
    const two = await workspace.prepare({}, 'two');
    workspace.release('one', ['two']);
    const { output } = await inJail(workspace, two.jailMounts, 'git init; mkdir .claude; echo x > .claude/a; echo end');
    expect(output).toContain('end');
    expect(existsSync(join(workspace.path, '.git/config'))).toBe(false);
    expect(existsSync(join(workspace.path, '.claude/a'))).toBe(false);
    workspace.release('two', ['one']);
    expect(listing(workspace.path)).toEqual([]);
  });

  test('a hidden file that the host makes later is not seen', async () => {
    const workspace = makeWorkspace();
    const { jailMounts } = await workspace.prepare({ hide: ['.env', 'conf/token'] });
    workspace.write({ '.env': 'secret', 'conf/token': 'secret' });
    const { output } = await inJail(workspace, jailMounts, 'cat .env conf/token; ls');
    expect(output).not.toContain('secret');
  });

  test('a protected path that is a link, or lies behind one, is refused', async () => {
    for (const [name, wishes] of [
      ['.claude', {}],
      ['.git', {}],
      ['conf', { hide: ['conf/token'] }],
      ['docs', { readonly: ['docs'] }],
    ] as const) {
      const workspace = makeWorkspace();
      mkdirSync(join(workspace.home, 'elsewhere'));
      symlinkSync('../elsewhere', join(workspace.path, name));
      await expect(workspace.prepare(wishes as object)).rejects.toMatchObject({ code: 'workspace' });
      expect(readdirSync(join(workspace.home, 'elsewhere'))).toEqual([]);
    }
  });

  test('a hidden link: what it names is hidden where it lies', async () => {
    const workspace = makeWorkspace();
    workspace.write({ 'conf/real': 'secret', a: '' });
    symlinkSync('conf/real', join(workspace.path, '.env'));
    const { jailMounts } = await workspace.prepare({ hide: ['.env'] });
    expect((await inJail(workspace, jailMounts, 'cat .env conf/real; cp conf/real x; cat x')).output).not.toContain(
      'secret',
    );
  });

  test('links of the workspace lead to nothing of the host', async () => {
    const workspace = makeWorkspace();
    writeFileSync(join(workspace.home, 'canary'), 'canary');
    symlinkSync('../canary', join(workspace.path, 'up'));
    symlinkSync(join(workspace.home, 'canary'), join(workspace.path, 'absolute'));
    const { jailMounts } = await workspace.prepare();
    expect(
      (await inJail(workspace, jailMounts, `cat up absolute ../canary ${workspace.home}/canary`)).output,
    ).not.toMatch(/^canary/m);
  });

  test('a writable extra mount keeps its own repositories and settings, a read-only one everything', async () => {
    const workspace = makeWorkspace();
    const [library, data] = [join(workspace.home, 'library'), join(workspace.home, 'data')];
    for (const dir of [library, data]) mkdirSync(dir);
    execFileSync('git', ['init', '-q', library], { env: { PATH: process.env['PATH'] } });
    const { jailMounts, guestMounts } = await workspace.prepare({
      mounts: [
        { host: library, guest: '/library', readonly: false },
        { host: data, guest: '/data', readonly: true },
      ],
    });
    expect(guestMounts.slice(1)).toEqual([
      { source: 'm0', target: '/library' },
      { source: 'm1', target: '/data' },
    ]);
    await inJail(
      workspace,
      jailMounts,
      'cd ..; echo x > m0/a; echo evil > m0/.git/hooks/a; echo evil >> m0/.git/config; mv m0/.git m0/x; echo evil > m1/a',
    );
    expect(existsSync(join(library, 'a'))).toBe(true);
    expect(existsSync(join(library, '.git/hooks/a'))).toBe(false);
    expect(execFileSync('git', ['-C', library, 'config', '--list'], { encoding: 'utf8' })).not.toContain('evil');
    expect(readdirSync(data)).toEqual([]);
  });
}

function listing(dir: string): string[] {
  const all = (readdirSync(dir, { recursive: true }) as string[]).filter(
    (name) => !/^\.git\/(objects\/..|logs|refs)/.test(name),
  );
  return all.sort();
}
