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
import { foldOf } from '../../../../lib/workspace/policy/fold.ts';
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

function open(rules: Partial<WorkspaceRules> = {}): RootFacts {
  volume = openVolume([{ name: 'ws', path: folder }]);
  const lists = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [] };
  const policy = compileWorkspacePolicy({ ...lists, fold: foldOf({}), ...rules });
  facts = new RootFacts({ fd: fdOf(), hostPath: folder, policy, named: [], now: () => time });
  return facts;
}

const fdOf = () => volume?.roots[0]?.fd ?? -1;
const entry = (text: string) => ({ text, source: 'default' as const });
const namedIn = (path: string) => [...(facts?.factsFor(path, undefined).named?.paths.keys() ?? [])];
const identityOf = (name: string) => statAt(fdOf(), name).identity;
/** Longer than the host's changes may go unseen */
const later = () => {
  time += 1_000;
};

describe('what git of the host reads or runs', () => {
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
    const { pointers, gitBelow } = facts?.factsFor('libs/a/x', undefined) ?? {};
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
    const { hiddenTargets } = facts?.factsFor('conf/real', undefined) ?? {};
    expect([...(hiddenTargets?.paths.keys() ?? [])].sort()).toEqual(['conf/middle', 'conf/real']);
  });

  test('where a protected link leads is protected', () => {
    host({ 'team/settings.json': '{}' });
    symlinkSync('team', join(folder, '.vscode'));
    open();
    expect(namedIn('team/settings.json')).toEqual(['team']);
  });
});

describe('hard links', () => {
  test('a hidden or protected file is so under its other names', () => {
    host({ '.env': 'secret', ...REPOSITORY, plain: '' });
    linkSync(join(folder, '.env'), join(folder, 'copy'));
    linkSync(join(folder, '.git/config'), join(folder, 'other'));
    open({ hide: [entry('.env')] });
    const verdictOf = (name: string) => facts?.factsFor(name, identityOf(name)).alias?.verdict;
    expect(['copy', 'other', 'plain'].map(verdictOf)).toEqual(['hidden', 'private', undefined]);
  });

  test('one that the host makes later, too; and a file that takes the name later', () => {
    host({ '.env': 'secret' });
    open({ hide: [entry('.env')] });
    linkSync(join(folder, '.env'), join(folder, 'copy'));
    expect(facts?.factsFor('copy', identityOf('copy')).alias?.verdict).toBe('hidden');
    host({ next: 'secret' });
    linkSync(join(folder, 'next'), join(folder, 'seen'));
    renameSync(join(folder, 'next'), join(folder, '.env'));
    later();
    expect(facts?.factsFor('seen', identityOf('seen')).alias?.verdict).toBe('hidden');
  });
});
