import { describe, expect, test } from 'vitest';
import type { WorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { indexPaths } from '../../../../lib/workspace/policy/match/path-index.ts';
import { judgeRename } from '../../../../lib/workspace/policy/rename.ts';
import type { EntryKind, WorkspaceFacts } from '../../../../lib/workspace/policy/types.ts';
import { factsOf, hostOf, policyOf, repository } from './model.ts';

interface Moved {
  host?: readonly string[];
  policy?: WorkspacePolicy;
  kind?: EntryKind;
  facts?: Partial<WorkspaceFacts>;
}

function move(
  from: string,
  to: string,
  { host = [], policy = policyOf(), kind = 'folder', facts }: Moved = {},
): string {
  return judgeRename(policy, { from, to, kind, facts: factsOf(hostOf(host), facts) }).verdict;
}

test('plain files and folders move on the host', () => {
  expect(move('a', 'b/c')).toBe('pass');
  expect(move('a.txt', 'b.txt', { kind: 'file' })).toBe('pass');
  expect(move('.git/HEAD.lock', '.git/HEAD', { kind: 'file', host: repository('.git') })).toBe('pass');
  expect(move('.git/objects/in', '.git/objects/ab', { host: repository('.git') })).toBe('pass');
});

describe('a folder is not moved out of a pattern', () => {
  const cases: [pattern: string, from: string, to: string][] = [
    ['conf/secret', 'conf', 'open'],
    ['a/b/c/secret', 'a/b', 'x'],
    ['**/secrets/*.key', 'x/secrets', 'x/open'],
    ['src/**/key', 'src', 'lib'],
    ['*/key', 'a', 'a/b'],
  ];
  test.each(cases)('hide %s: %s to %s is copied', (pattern, from, to) => {
    expect(move(from, to, { policy: policyOf({ hide: [pattern] }) })).toBe('copy');
    expect(move(from, to)).toBe('pass');
  });

  test('where the pattern covers both names alike it moves', () => {
    expect(move('src/a', 'src/b/c', { policy: policyOf({ hide: ['src/**/key', '.env'] }) })).toBe('pass');
    expect(move('a', 'b', { policy: policyOf({ hide: ['*/key'] }) })).toBe('pass');
  });

  test('nor into one: what was written elsewhere would be what the host trusts', () => {
    expect(move('evil', 'src', { policy: policyOf({ readonly: ['src/gen'] }) })).toBe('copy');
    expect(move('evil', 'src/gen', { policy: policyOf({ readonly: ['src/gen'] }) })).toBe('refuse');
  });

  test('nor out of an opened folder or of the installed packages', () => {
    expect(move('a', 'b', { policy: policyOf({ unprotect: ['a/.vscode'] }) })).toBe('copy');
    expect(move('a/x', 'b', { policy: policyOf({ unprotect: ['a'] }) })).toBe('copy');
    expect(move('node_modules/evil', 'src', {})).toBe('copy');
    expect(move('node_modules/.a-1', 'node_modules/a', {})).toBe('pass');
  });
});

test('hidden and read-only paths do not move, and nothing takes their names', () => {
  const policy = policyOf({ hide: ['.env'], readonly: ['gen'] });
  for (const [from, to] of [
    ['.env', 'x'],
    ['x', '.env'],
    ['gen/a', 'x'],
    ['x', 'gen/a'],
  ] as const)
    for (const kind of ['file', 'folder', 'link'] as const) expect(move(from, to, { policy, kind })).toBe('refuse');
});

describe('settings', () => {
  test('a file that takes the place of a protected one is copied, its lock is renamed in the layer', () => {
    const host = repository('.git');
    expect(move('x', '.git/config', { kind: 'file', host })).toBe('copy');
    expect(move('.git/config.lock', '.git/config', { kind: 'file', host })).toBe('private');
    expect(move('.git/config', 'x', { kind: 'file', host })).toBe('copy');
    expect(move('evil', '.vscode')).toBe('copy');
    expect(move('.vscode', 'x', { host: ['.vscode/tasks.json'] })).toBe('copy');
    expect(move('.vscode/a', '.vscode/b', { host: ['.vscode/a/x'] })).toBe('copy');
    expect(move('.vscode/a', '.vscode/b')).toBe('private');
  });
});

describe('git folders', () => {
  const host = [...repository('.git'), ...repository('a/.git'), ...repository('store.git'), 'w/.git'];

  test('.git of the host is refused', () => {
    expect(move('.git', 'x', { host })).toBe('refuse');
    expect(move('a/.git', 'a/x', { host })).toBe('refuse');
    expect(move('w/.git', 'w/x', { host, kind: 'file' })).toBe('refuse');
    expect(move('.git', 'x', { host, policy: policyOf({ without: ['git-keep'] }) })).not.toBe('refuse');
  });

  test('a folder with a repository is copied: relative paths of its config would name other files', () => {
    expect(move('a', 'b/c', { host })).toBe('copy');
    expect(move('w', 'x', { host })).toBe('copy');
    expect(move('store.git', 'x.git', { host })).toBe('copy');
    expect(move('b', 'c', { host: ['b/deep/.git/HEAD'], facts: { gitBelow: (path) => path === 'b' } })).toBe('copy');
    expect(move('a', 'b/c', { host, policy: policyOf({ without: ['git-keep'] }) })).toBe('pass');
  });

  test('nothing is moved to where git looks for its own', () => {
    for (const to of [
      '.git',
      'x/.git',
      '.git/hooks',
      '.git/modules',
      '.git/modules/m',
      '.git/worktrees/w',
      '.git/objects/info',
      '.git/new',
    ])
      expect(move('evil', to, { host })).not.toBe('pass');
    expect(move('.git/refs/x', '.git/modules', { host })).toBe('copy');
    expect(move('.git/refs/x', 'x', { host })).toBe('copy');
    expect(move('link', '.git/FETCH_HEAD', { host, kind: 'link' })).toBe('copy');
  });

  test('nothing completes a repository', () => {
    for (const kind of ['file', 'folder', 'link'] as const)
      expect(move('evil', 'x/refs', { host: ['x/HEAD', 'x/objects/'], kind })).toBe('copy');
    expect(
      move('evil', 'x/refs', { host: ['x/HEAD', 'x/objects/'], policy: policyOf({ without: ['git-complete'] }) }),
    ).toBe('pass');
  });
});

test('folders above what the git config or a pointer names stay in their place', () => {
  const named = indexPaths(['tools/git/hooks'], (name) => name);
  for (const facts of [{ named }, { pointers: named }]) {
    expect(move('tools', 'x', { facts })).toBe('copy');
    expect(move('evil', 'tools', { facts })).toBe('copy');
    expect(move('evil', 'tools/git', { facts })).toBe('copy');
  }
  expect(move('evil', 'tools')).toBe('pass');
  expect(move('team', 'x', { policy: policyOf({ configFiles: ['team/node.toml'] }) })).toBe('copy');
});

test('another hard link of a protected file counts', () => {
  const alias = { verdict: 'hidden', lower: false, rule: undefined } as const;
  expect(move('x', 'y', { kind: 'file', facts: { alias } })).toBe('refuse');
});

test('what is no path is refused', () => {
  expect(move('a', '../b')).toBe('refuse');
});
