import { describe, expect, test } from 'vitest';
import { indexPaths } from '../../../../lib/workspace/policy/match/path-index.ts';
import { GIT_LEFT_OPEN, GIT_ROWS } from '../../../../lib/workspace/policy/protected/git-rows.ts';
import { ask, OPERATIONS, policyOf, repository } from './model.ts';

const worktree = (folder: string) => ['HEAD', 'commondir', 'gitdir', 'index'].map((name) => `${folder}/${name}`);
const without = (...rules: string[]) => policyOf({ without: rules });

/** Each a git folder of the host, by another way to be one */
const folders: [kind: string, folder: string, host: string[]][] = [
  ['a repository', '.git', repository('.git')],
  ['a nested repository', 'a/b/.git', repository('a/b/.git')],
  ['a bare repository', 'store.git', repository('store.git')],
  ['a bare repository without a name', 'a/data', repository('a/data')],
  ['a submodule', '.git/modules/m', [...repository('.git'), ...repository('.git/modules/m')]],
  ['a submodule with slashes', '.git/modules/a/b/c', [...repository('.git'), ...repository('.git/modules/a/b/c')]],
  ['a linked work tree', '.git/worktrees/w', [...repository('.git'), ...worktree('.git/worktrees/w')]],
  [
    'a submodule of a work tree',
    '.git/worktrees/w/modules/m',
    [...repository('.git'), ...worktree('.git/worktrees/w'), ...repository('.git/worktrees/w/modules/m')],
  ],
  ['an unfinished folder .git', '.git', ['.git/']],
];

describe.each(folders)('%s', (_, folder, host) => {
  const rows = Object.entries(GIT_ROWS).flatMap(([id, { paths }]) => paths.map((path) => [id, path] as const));

  test.each(rows)('%s: %s is private, with all below it and its lock', (id, path) => {
    const plain = path.replace('*', 'NAMES');
    for (const one of [plain, `${plain}/x/y`, `${plain}.lock`])
      for (const operation of OPERATIONS) {
        expect(ask(operation, `${folder}/${one}`, { host }), `${operation} ${one}`).toBe('private');
        if (folder === '.git' && !host.includes('.git/HEAD')) continue;
        if (id !== 'git-pointer')
          expect(ask(operation, `${folder}/${one}`, { host, policy: without(id) }), one).toBe('pass');
      }
  });

  test('what a commit writes passes', () => {
    for (const path of GIT_LEFT_OPEN.flatMap(({ paths }) => paths))
      expect(ask('write', `${folder}/${path.replace('*', 'X')}`, { host: [...host, `${folder}/${path}`] }), path).toBe(
        'pass',
      );
    for (const path of ['objects/ab/cdef', 'refs/heads/a/b', 'logs/HEAD', 'HEAD.lock'])
      expect(ask('create', `${folder}/${path}`, { host })).toBe('pass');
  });

  test('no link is made in it: git would write through it', () => {
    for (const path of ['FETCH_HEAD', 'logs/x', 'objects/ab', 'refs/heads/x', 'modules/x']) {
      const verdicts = [ask('create', `${folder}/${path}`, { host, kind: 'link' })];
      verdicts.push(ask('rename-to', `${folder}/${path}`, { host, kind: 'link' }));
      for (const verdict of verdicts) expect(['private', 'own']).toContain(verdict);
    }
    expect(ask('create', `${folder}/FETCH_HEAD`, { host, kind: 'link', policy: without('git-link') })).toBe('pass');
  });
});

describe('a git folder of the host', () => {
  const host = repository('.git');

  test('is never taken away, nor are the parts that make it one', () => {
    for (const path of ['.git', '.git/HEAD', '.git/objects', '.git/refs'])
      for (const operation of ['remove', 'rename-from'] as const) {
        expect(ask(operation, path, { host })).toBe('private');
        expect(ask(operation, path, { host, policy: without('git-keep') })).toBe('pass');
      }
    expect(ask('rename-to', '.git/HEAD', { host })).toBe('pass');
  });

  test('a folder of it that looks like a repository itself keeps its row', () => {
    const nested = [...host, ...repository('.git/rebase-merge'), ...repository('.git/hooks')];
    expect(ask('write', '.git/rebase-merge/git-rebase-todo', { host: nested })).toBe('private');
    expect(ask('create', '.git/hooks/pre-push', { host: nested })).toBe('private');
  });

  test('settings beside it in a bare repository are protected, names of branches are not', () => {
    const bare = ['HEAD', 'objects/', 'refs/', 'config', 'main/.git'];
    expect(ask('write', 'main/.vscode/tasks.json', { host: bare })).toBe('private');
    expect(ask('write', 'sandbox.toml', { host: bare })).toBe('private');
    expect(ask('create', 'refs/heads/.vscode', { host: bare })).toBe('pass');
    expect(ask('write', 'config', { host: bare })).toBe('private');
  });

  test('links are made in a work tree that lies in a bare repository', () => {
    const bare = ['HEAD', 'objects/', 'refs/', 'config', 'main/.git'];
    expect(ask('create', 'main/bin/tool', { host: bare, kind: 'link' })).toBe('pass');
    expect(ask('create', 'other', { host: bare, kind: 'link' })).toBe('private');
  });
});

describe('a repository that is made inside', () => {
  test.each(['.git', 'a/.git', 'a/b/c/.git', 'node_modules/x/.git', '.git/x/.git'])(
    '%s is the own of the sandbox',
    (path) => {
      const host = path.startsWith('.git/') ? repository('.git') : [];
      for (const operation of OPERATIONS)
        for (const one of [path, `${path}/config`, `${path}/objects/ab/c`])
          expect(ask(operation, one, { host })).toBe('own');
      for (const kind of ['file', 'folder', 'link', 'other'] as const)
        expect(ask('create', path, { host, kind })).toBe('own');
    },
  );

  test('a new work tree and a new submodule of a repository of the host, too', () => {
    const host = [...repository('.git'), '.git/modules/a/', '.git/worktrees/'];
    for (const path of ['.git/worktrees/w', '.git/worktrees/w/HEAD', '.git/modules/m/config', '.git/modules/a/b/index'])
      expect(ask('create', path, { host })).toBe('own');
    expect(ask('create', '.git/worktrees/w/HEAD', { host, policy: without('git-new') })).toBe('pass');
  });

  test('where a pointer of the host leads to nothing yet', () => {
    const pointers = indexPaths(['store/sub'], (name) => name);
    expect(ask('create', 'store/sub', { facts: { pointers } })).toBe('own');
    expect(ask('create', 'store/sub/config', { facts: { pointers } })).toBe('own');
    expect(ask('write', 'store/sub/config', { host: ['store/sub/config'], facts: { pointers } })).toBe('private');
    expect(ask('create', 'store/sub/config')).toBe('pass');
  });
});

test('a .git file or link of the host is private, and passes without the rule', () => {
  for (const host of [['sub/.git'], ['sub/.git@']]) {
    for (const operation of OPERATIONS) expect(ask(operation, 'sub/.git', { host })).toBe('private');
    expect(ask('write', 'sub/.git', { host, policy: without('git-file') })).toBe('pass');
  }
});

describe('completing a repository', () => {
  const cases: [missing: string, host: string[]][] = [
    ['HEAD', ['x/objects/', 'x/refs/']],
    ['objects', ['x/HEAD', 'x/refs/']],
    ['refs', ['x/HEAD', 'x/objects']],
    ['refs', ['x/HEAD@', 'x/objects@']],
    ['HEAD', ['x/commondir']],
    ['commondir', ['x/HEAD']],
    ['HEAD', ['x/commondir', 'x/objects/']],
  ];

  test.each(cases)('the missing %s beside %j stays inside', (missing, host) => {
    for (const kind of ['file', 'folder', 'link'] as const)
      for (const operation of ['create', 'rename-to', 'lookup', 'write'] as const)
        expect(ask(operation, `x/${missing}`, { host, kind })).toBe('own');
    expect(ask('create', `x/${missing}/y`, { host })).toBe('own');
    expect(ask('create', `x/${missing}`, { host, policy: without('git-complete') })).toBe('pass');
  });

  test('also at the workspace itself and in an unfinished .git', () => {
    expect(ask('create', 'refs', { host: ['HEAD', 'objects/'] })).toBe('own');
    expect(ask('create', '.git/HEAD', { host: ['.git/objects/', '.git/refs/'] })).toBe('own');
  });

  test('one part of it alone passes', () => {
    expect(ask('create', 'x/HEAD')).toBe('pass');
    expect(ask('create', 'x/objects', { host: ['x/refs/'] })).toBe('pass');
    expect(ask('create', 'x/config', { host: ['x/refs/', 'x/HEAD'] })).toBe('pass');
  });
});

test('unprotect of .git opens git folders at any depth, and nothing else', () => {
  const policy = policyOf({ unprotect: ['.git'] });
  expect(ask('write', '.git/config', { policy, host: repository('.git') })).toBe('pass');
  expect(ask('create', 'a/.git', { policy })).toBe('pass');
  expect(ask('create', 'a/.git/hooks/pre-commit', { policy })).toBe('pass');
  expect(ask('write', 'store.git/config', { policy, host: repository('store.git') })).toBe('private');
  const hooks = policyOf({ unprotect: ['.git/hooks'] });
  expect(ask('create', '.git/hooks/pre-push', { policy: hooks, host: repository('.git') })).toBe('pass');
  expect(ask('create', '.git/hooks/pre-push', { policy: hooks })).toBe('own');
  expect(ask('write', '.git/config', { policy: hooks, host: repository('.git') })).toBe('private');
});
