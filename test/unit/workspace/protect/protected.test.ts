import { expect, test } from 'vitest';
import { type Findings, protectedPaths } from '../../../../lib/workspace/protect/protected.ts';

const NOTHING: Findings = { gitDirs: [], worktreeDirs: [], gitEntries: [], unfinished: [], settings: [] };
const paths = (found: Partial<Findings>, opened: string[] = [], makeUp = true) =>
  protectedPaths({ ...NOTHING, ...found }, opened, makeUp).map(({ path }) => path);

test('a workspace without git: the git folder as a whole', () => {
  expect(paths({})).toEqual(expect.arrayContaining(['.git', 'sandbox.toml', '.claude', '.vscode']));
});

test('a repository: what the host runs from it, not the repository', () => {
  const all = paths({ gitDirs: ['.git'] });
  expect(all).not.toContain('.git');
  expect(all.filter((path) => path.startsWith('.git/'))).toEqual(
    expect.arrayContaining([
      '.git/hooks',
      '.git/config',
      '.git/config.worktree',
      '.git/commondir',
      '.git/objects/info/alternates',
    ]),
  );
});

test('what was opened is left out, with all below it', () => {
  expect(paths({ gitDirs: ['.git'] }, ['.git']).filter((path) => path.startsWith('.git'))).toEqual([]);
  expect(paths({ settings: ['a/.vscode'] }, ['.vscode'])).not.toContain('a/.vscode');
  expect(paths({ settings: ['a/.vscode'] }, ['a/.vscode'])).toContain('.vscode');
  expect(paths({ gitDirs: ['.git'] }, ['config', './.git/hooks/'])).toContain('.git/config');
  expect(paths({ gitDirs: ['.git'] }, ['config', './.git/hooks/'])).not.toContain('.git/hooks');
});

test('in an extra mount nothing is made up but inside repositories', () => {
  expect(paths({}, [], false)).toEqual([]);
  expect(paths({ gitDirs: ['a/.git'], settings: ['.claude'] }, [], false)).toEqual(
    expect.arrayContaining(['.claude', 'a/.git/hooks']),
  );
});

test('each path once, with its placeholder', () => {
  const all = protectedPaths({ ...NOTHING, settings: ['.claude'], gitEntries: ['.git'] }, []);
  expect(all.filter(({ path }) => path === '.claude' || path === '.git').map(({ placeholder }) => placeholder)).toEqual(
    [{ kind: 'dir' }, { kind: 'dir' }],
  );
});
