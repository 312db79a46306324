/** What a root's facts say about real folders of the host, while the host changes them. */
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RootFacts } from '../../../../lib/workspace/facts/root-facts.ts';
import { compileWorkspacePolicy, type WorkspaceRules } from '../../../../lib/workspace/policy/compile.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import { statAt } from '../../../../lib/workspace/server/sys/names.ts';
import { openVolume, type Volume } from '../../../../lib/workspace/server/tables/volume.ts';

let folder: string;
let volume: Volume | undefined;
let facts: RootFacts | undefined;
let time: number;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-facts-')));
  time = 0;
});
afterEach(() => {
  facts?.[Symbol.dispose]();
  volume?.[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

function host(files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

const REPOSITORY = {
  '.git/HEAD': 'ref: refs/heads/main\n',
  '.git/objects/x': '',
  '.git/refs/x': '',
  '.git/config': '',
};

function open(rules: Partial<WorkspaceRules> = {}, now = () => time): RootFacts {
  volume = openVolume([{ name: 'ws', path: folder }]);
  const lists = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [] };
  const policy = compileWorkspacePolicy({ ...lists, fold: foldOf({}), ...rules });
  facts = new RootFacts({ fd: fdOf(), hostPath: folder, policy, named: [], now });
  return facts;
}

const fdOf = () => volume?.roots[0]?.fd ?? -1;
const entry = (text: string) => ({ text, source: 'default' as const });
const namedIn = (path: string) => [...(facts?.factsFor(path).named?.paths.keys() ?? [])];
const identityOf = (name: string) => statAt(fdOf(), name).identity;
/** Longer than the host's changes may go unseen */
const later = () => {
  time += 1_000;
};

describe('what git of the host reads or runs', () => {
  test('is known before the folders with its links are visited', () => {
    host({
      ...REPOSITORY,
      '.git/config': '[core]\n\thooksPath = team/hooks\n',
      'scripts/check': '',
      'scripts/own': '',
    });
    for (const [at, target] of [
      ['team/hooks/pre-commit', '../../scripts/check'],
      ['.git/hooks/pre-push', '../../scripts/own'],
    ] as const) {
      mkdirSync(dirname(join(folder, at)), { recursive: true });
      symlinkSync(target, join(folder, at));
    }
    // Each look at the clock is the end of the walk's time.
    open({}, () => {
      time += 1_000;
      return time;
    });
    expect(namedIn('scripts/check')).toEqual(expect.arrayContaining(['scripts/check', 'scripts/own']));
  });

  test('by its configuration, also included, and by links among the hooks', () => {
    host({
      ...REPOSITORY,
      '.git/config': '[core]\nhooksPath = team/hooks\n[include]\npath = ../more\n',
      more: `[core]\nfsmonitor = ${folder}/tools/watch\n`,
    });
    mkdirSync(join(folder, '.git/hooks'));
    symlinkSync('../../scripts/check', join(folder, '.git/hooks/pre-commit'));
    open();
    expect(namedIn('a').sort()).toEqual(['more', 'scripts/check', 'team/hooks', 'tools/watch']);
  });

  test('of a repository further down, and of one behind a `.git` file', () => {
    host({
      'libs/a/.git': 'gitdir: ../../store/a\n',
      'store/a/HEAD': '',
      'store/a/commondir': '../b\n',
      'store/b/config': '[core]\nhooksPath = h\n',
    });
    open();
    const { pointers, gitBelow } = facts?.factsFor('libs/a/x') ?? {};
    expect([...(pointers?.paths.keys() ?? [])].sort()).toEqual(['store/a', 'store/b']);
    expect(namedIn('libs/a/x')).toContain('libs/a/h');
    expect([gitBelow?.('libs'), gitBelow?.('store'), gitBelow?.('other')]).toEqual([true, true, false]);
  });

  test('a change of the configuration counts soon, one of an included file, too', () => {
    host({ ...REPOSITORY, '.git/config': '[include]\npath = ../more\n', more: '' });
    open();
    expect(namedIn('a')).toEqual(['more']);
    host({ more: '[core]\nhooksPath = h\n' });
    later();
    expect(namedIn('a').sort()).toEqual(['h', 'more']);
    host({ '.git/config': '[core]\nfsmonitor = ./f\n' });
    later();
    expect(namedIn('a')).toEqual(['f']);
  });

  test('by links in a folder of hooks that a later configuration names', () => {
    host({ ...REPOSITORY, 'team/hooks/x': '', 'scripts/check': '' });
    symlinkSync('../../scripts/check', join(folder, 'team/hooks/pre-commit'));
    open();
    expect(namedIn('scripts/check')).toEqual([]);
    host({ '.git/config': '[core]\nhooksPath = team/hooks\n' });
    later();
    expect(namedIn('scripts/check').sort()).toEqual(['scripts/check', 'team/hooks']);
  });

  test('by the configuration of a repository beside the path', () => {
    host({ 'libs/a/.git/HEAD': '', 'libs/a/.git/config': '', 'other/x': '' });
    open();
    expect(namedIn('other/x')).toEqual([]);
    host({ 'libs/a/.git/config': '[core]\nhooksPath = ../../other\n' });
    later();
    expect(namedIn('other/x')).toEqual(['other']);
  });

  test('nothing outside of the root is read or named', () => {
    host({
      ...REPOSITORY,
      '.git/config': '[core]\nhooksPath = ../../up\nfsmonitor = /bin/true\n[include]\npath = /etc/x\n',
    });
    open();
    expect(namedIn('a')).toEqual([]);
  });
});

describe('links', () => {
  test('where a hidden link leads is hidden, as far as links lead', () => {
    host({ 'conf/real': 'secret' });
    symlinkSync('../conf/real', join(folder, 'conf/middle'));
    mkdirSync(join(folder, 'app'));
    symlinkSync('../conf/middle', join(folder, 'app/.env'));
    open({ hide: [entry('.env')] });
    const { hiddenTargets } = facts?.factsFor('conf/real') ?? {};
    expect([...(hiddenTargets?.paths.keys() ?? [])].sort()).toEqual(['conf/middle', 'conf/real']);
  });

  test('a hidden folder hides nothing else by the links in it', () => {
    host({ 'packages/a/index.js': '', 'node_modules/x': '' });
    symlinkSync('../packages/a', join(folder, 'node_modules/a'));
    open({ hide: [entry('node_modules')] });
    expect(facts?.factsFor('packages/a/index.js').hiddenTargets?.paths.size).toBe(0);
  });

  test('what the project keeps private protects nothing else by the links in it', () => {
    host({ 'packages/a/index.js': '', 'node_modules/x': '' });
    symlinkSync('../packages/a', join(folder, 'node_modules/a'));
    open({ private: [entry('node_modules')] });
    expect(namedIn('packages/a/index.js')).toEqual([]);
  });

  test('hidden links that hide each other come to an end', () => {
    mkdirSync(join(folder, 'f/g'), { recursive: true });
    symlinkSync('f', join(folder, 'a.key'));
    symlinkSync('..', join(folder, 'f/b.key'));
    symlinkSync('../../f/g', join(folder, 'f/g/c.key'));
    open({ hide: [entry('*.key')] });
    expect([...(facts?.factsFor('f/g/x').hiddenTargets?.paths.keys() ?? [])].sort()).toEqual(['f', 'f/g']);
  });

  test('where a protected link leads is protected', () => {
    host({ 'team/settings.json': '{}' });
    symlinkSync('team', join(folder, '.vscode'));
    open();
    expect(namedIn('team/settings.json')).toEqual(['team']);
  });
});

describe('hard links', () => {
  const verdictOf = (name: string) => {
    facts?.factsFor(name);
    return facts?.aliasOf(identityOf(name))?.verdict;
  };

  test('a hidden or protected file is so under its other names', () => {
    host({ '.env': 'secret', ...REPOSITORY, plain: '', 'docs/a': '' });
    linkSync(join(folder, '.env'), join(folder, 'copy'));
    linkSync(join(folder, '.git/config'), join(folder, 'other'));
    linkSync(join(folder, 'docs/a'), join(folder, 'writable'));
    open({ hide: [entry('.env')], readonly: [entry('docs')] });
    expect(['copy', 'other', 'writable', 'plain'].map(verdictOf)).toEqual([
      'hidden',
      'private',
      'read-only',
      undefined,
    ]);
  });

  test('what the project keeps private says nothing about other names', () => {
    host({ 'node_modules/a': '' });
    linkSync(join(folder, 'node_modules/a'), join(folder, 'copy'));
    open({ private: [entry('node_modules')] });
    expect(verdictOf('copy')).toBeUndefined();
  });

  test('one that the host makes later, too; and a file that takes the name later', () => {
    host({ '.env': 'secret' });
    open({ hide: [entry('.env')] });
    linkSync(join(folder, '.env'), join(folder, 'copy'));
    expect(verdictOf('copy')).toBe('hidden');
    host({ next: 'secret' });
    linkSync(join(folder, 'next'), join(folder, 'seen'));
    renameSync(join(folder, 'next'), join(folder, '.env'));
    later();
    expect(verdictOf('seen')).toBe('hidden');
  });

  test('as long as one of its names is hidden, in whatever order the folders change', () => {
    host({ 'a/.env': 'secret', 'b/x': '' });
    linkSync(join(folder, 'a/.env'), join(folder, 'b/.env'));
    linkSync(join(folder, 'a/.env'), join(folder, 'copy'));
    open({ hide: [entry('.env')] });
    rmSync(join(folder, 'a/.env'));
    later();
    facts?.factsFor('a/x');
    expect(verdictOf('copy')).toBe('hidden');
    renameSync(join(folder, 'b'), join(folder, 'c'));
    later();
    facts?.factsFor('c/x');
    facts?.factsFor('b/x');
    expect(verdictOf('copy')).toBe('hidden');
    rmSync(join(folder, 'c/.env'));
    later();
    facts?.factsFor('c/x');
    expect(verdictOf('copy')).toBeUndefined();
  });

  test('below a folder that becomes a repository', () => {
    host({ 'd/config': '', 'd/hooks/post-merge': '' });
    linkSync(join(folder, 'd/hooks/post-merge'), join(folder, 'copy'));
    open();
    expect(verdictOf('copy')).toBeUndefined();
    host({ 'd/HEAD': '', 'd/objects/x': '', 'd/refs/x': '' });
    later();
    facts?.factsFor('d/x');
    expect(verdictOf('copy')).toBe('private');
  });

  describe('of which not all names were seen', () => {
    const pendingOf = (name: string) => facts?.pending(statAt(fdOf(), name));

    test('are waited for, far from the folders that the guest uses', async () => {
      host({ plain: '' });
      open({ hide: [entry('.env')] });
      expect(pendingOf('plain')).toBeUndefined();
      host({ 'deep/er/.env': 'secret' });
      linkSync(join(folder, 'deep/er/.env'), join(folder, 'copy'));
      expect(verdictOf('copy')).toBeUndefined();
      await pendingOf('copy');
      expect(verdictOf('copy')).toBe('hidden');
      expect(pendingOf('copy')).toBeUndefined();
    });

    test('are not waited for once they were, whatever is outside; but again for one more', async () => {
      const store = mkdtempSync(join(tmpdir(), 'sbx-store-'));
      try {
        writeFileSync(join(store, 'package'), '');
        host({ 'node_modules/x': '' });
        linkSync(join(store, 'package'), join(folder, 'node_modules/a'));
        open();
        await pendingOf('node_modules/a');
        expect(pendingOf('node_modules/a')).toBeUndefined();
        linkSync(join(store, 'package'), join(store, 'another'));
        const pending = pendingOf('node_modules/a');
        expect(pending).toBeInstanceOf(Promise);
        await pending;
      } finally {
        rmSync(store, { recursive: true, force: true });
      }
    });

    test('are not waited for when the guest made the names itself', () => {
      host({ plain: '' });
      open();
      const before = statAt(fdOf(), 'plain');
      linkSync(join(folder, 'plain'), join(folder, 'second'));
      facts?.linked(before);
      expect(pendingOf('plain')).toBeUndefined();
      linkSync(join(folder, 'plain'), join(folder, 'third'));
      expect(pendingOf('plain')).toBeInstanceOf(Promise);
    });

    test('are waited for no longer than the root is served', async () => {
      host({ plain: '' });
      open();
      linkSync(join(folder, 'plain'), join(folder, 'second'));
      const pending = pendingOf('plain');
      facts?.[Symbol.dispose]();
      await pending;
    });
  });
});
