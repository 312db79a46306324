import { describe, expect, test } from 'vitest';
import { decideWorkspace } from '../../../../lib/workspace/policy/decide.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import { indexPaths } from '../../../../lib/workspace/policy/match/path-index.ts';
import { SETTINGS_ROWS } from '../../../../lib/workspace/policy/protected/settings-rows.ts';
import { judgeRename } from '../../../../lib/workspace/policy/rename.ts';
import { ask, factsOf, hostOf, OPERATIONS, policyOf } from './model.ts';

const READS = ['lookup', 'list', 'read'] as const;
const CHANGES = OPERATIONS.filter((one) => !READS.some((read) => read === one));
const same = (text: string) => text;

test('what no rule covers passes, for every operation', () => {
  for (const operation of OPERATIONS) expect(ask(operation, 'src/main.ts'), operation).toBe('pass');
});

describe('hide', () => {
  const policy = policyOf({ hide: ['.env', '.env.*', 'secrets/', '/conf/*.key', 'deep/**/x'] });

  test.each(['.env', 'a/b/.env', '.env.local', '.env/x', 'a/secrets/b/c', 'conf/a.key', 'deep/x', 'deep/1/2/x/y'])(
    '%s is hidden for every operation, also before it exists',
    (path) => {
      for (const operation of OPERATIONS) expect(ask(operation, path, { policy }), operation).toBe('hidden');
    },
  );

  test.each(['.envrc2', 'a.env', 'x/conf/a.key', 'conf/b/a.key', 'x/deep/x'])('%s is not', (path) => {
    expect(ask('read', path, { policy })).toBe('pass');
  });

  test('a pattern for folders leaves a file of that name alone', () => {
    expect(ask('read', 'secrets', { policy, kind: 'file' })).toBe('pass');
    expect(ask('create', 'secrets', { policy, kind: 'folder' })).toBe('hidden');
  });

  test('unprotect, private and readonly do not open it', () => {
    const all = policyOf({ hide: ['.env'], unprotect: ['.env'], private: ['.env'], readonly: ['.env'] });
    for (const operation of OPERATIONS) expect(ask(operation, '.env', { policy: all })).toBe('hidden');
  });

  test('without the pattern it is read', () => {
    expect(ask('read', '.env')).toBe('pass');
  });
});

describe('readonly', () => {
  const policy = policyOf({ readonly: ['gen', 'docs/*.md'] });

  test('reads pass, changes are refused, also below and before it exists', () => {
    for (const path of ['gen', 'gen/a/b', 'docs/a.md']) {
      for (const operation of READS) expect(ask(operation, path, { policy })).toBe('pass');
      for (const operation of CHANGES) expect(ask(operation, path, { policy })).toBe('read-only');
    }
  });

  test('from the workspace on', () => {
    expect(ask('write', 'a/gen', { policy })).toBe('pass');
  });
});

test('a private folder is seen by no other side', () => {
  const policy = policyOf({ private: ['node_modules', '.venv'] });
  for (const operation of OPERATIONS)
    for (const path of ['node_modules', 'a/node_modules/b', '.venv/bin/python'])
      expect(ask(operation, path, { policy, host: ['node_modules/x'] })).toBe('own');
});

describe('settings', () => {
  const names = Object.values(SETTINGS_ROWS).flatMap((row) => row.names);

  test.each(names)('%s is private at any depth, also below it and as a link', (name) => {
    for (const path of [name, `a/b/${name}`, `${name}/x/y`])
      for (const operation of OPERATIONS) expect(ask(operation, path)).toBe('private');
    expect(ask('create', name, { kind: 'link' })).toBe('private');
  });

  test('of what a shim of the host for `node` runs are among them', () => {
    for (const path of [
      '.tool-versions',
      'a/.volta/hooks.json',
      '.config/mise/conf.d/x.toml',
      'mise/config.toml',
      '.nvmrc',
    ])
      expect([path, ask('write', path)]).toEqual([path, 'private']);
    const off = policyOf({ without: ['settings-tools'] });
    for (const path of ['.tool-versions', 'a/.volta/hooks.json', '.nvmrc', '.node-version'])
      expect(ask('write', path, { policy: off })).toBe('pass');
  });

  test('without its row each passes', () => {
    const policy = policyOf({ without: Object.keys(SETTINGS_ROWS) });
    for (const name of names) expect(ask('write', name, { policy })).toBe('pass');
  });

  test('those of installed packages pass, a repository among them does not', () => {
    expect(ask('create', 'node_modules/a/.vscode/settings.json')).toBe('pass');
    expect(ask('create', 'node_modules/a/.git')).toBe('own');
  });

  test('files that sandbox.toml is made of are private', () => {
    expect(ask('write', 'team/node.toml', { policy: policyOf({ configFiles: ['team/node.toml'] }) })).toBe('private');
    expect(ask('write', 'team/node.toml')).toBe('pass');
    const opened = policyOf({ configFiles: ['sandbox.toml'], unprotect: ['sandbox.toml'] });
    expect(ask('write', 'sandbox.toml', { policy: opened })).toBe('private');
    expect(ask('write', 'a/sandbox.toml', { policy: opened })).toBe('pass');
    const off = policyOf({ configFiles: ['team/node.toml'], without: ['config-file'] });
    expect(ask('write', 'team/node.toml', { policy: off })).toBe('pass');
  });
});

describe('unprotect', () => {
  test('opens a path with all below it', () => {
    const policy = policyOf({ unprotect: ['.vscode', './.claude/settings.json', 'sub/'] });
    expect(ask('write', '.vscode/tasks.json', { policy })).toBe('pass');
    expect(ask('write', '.claude/settings.json', { policy })).toBe('pass');
    expect(ask('write', '.claude/other', { policy })).toBe('private');
    expect(ask('write', 'sub/a/.idea/x', { policy })).toBe('pass');
  });

  test('opens a built-in name at any depth, and that rule alone', () => {
    const policy = policyOf({ unprotect: ['.vscode'] });
    expect(ask('write', 'a/.vscode/x', { policy })).toBe('pass');
    expect(ask('write', 'a/.vscode/.idea', { policy })).toBe('private');
    expect(ask('write', 'a/.idea', { policy })).toBe('private');
  });

  test('does not open another name that a path ends with', () => {
    expect(ask('write', 'a/config', { policy: policyOf({ unprotect: ['config'] }) })).toBe('pass');
    const host = ['.git/HEAD', '.git/config'];
    expect(ask('write', '.git/config', { host, policy: policyOf({ unprotect: ['config'] }) })).toBe('private');
  });
});

describe('how the host compares names', () => {
  const variants = ['.GIT', '.git.', '.git ', '.gi\u200ct', 'git~1', 'GIT~1', '.git::$INDEX_ALLOCATION', '.gIt. .'];
  const folding = policyOf({
    hide: ['.env', 'Caf\u00e9*'],
    fold: foldOf({ ignoresCase: true, normalizes: true, dropsIgnorable: true, windows: true }),
  });

  test.each(variants)('%j is .git on a host that folds it, another name elsewhere', (name) => {
    expect(ask('create', `a/${name}`, { policy: folding })).toBe('own');
    expect(ask('create', `a/${name}`)).toBe('pass');
  });

  test.each(['.ENV', '.env.', '.en\u200dv', '.env::$DATA', 'CAFE\u0301', 'cafe\u0301.txt'])('%j is hidden', (name) => {
    expect(ask('read', name, { policy: folding })).toBe('hidden');
  });

  test('letters that only fold by their upper case', () => {
    const policy = policyOf({ hide: ['secrets'], fold: foldOf({ ignoresCase: true }) });
    expect(ask('read', '\u017fecret\u017f', { policy })).toBe('hidden');
    expect(ask('read', 'secrets.', { policy })).toBe('pass');
  });

  test('a name of dots stays a name', () => {
    expect(foldOf({ windows: true })('...')).toBe('...');
  });
});

describe('other names of one file', () => {
  const hidden = { verdict: 'hidden', lower: false, rule: undefined } as const;

  test('where a hidden link leads is hidden with all below it, and stays in its place', () => {
    const hiddenTargets = indexPaths(['conf/prod.env'], same);
    for (const operation of OPERATIONS)
      expect(ask(operation, 'conf/prod.env', { facts: { hiddenTargets } })).toBe('hidden');
    expect(ask('read', 'conf/prod.env/x', { facts: { hiddenTargets } })).toBe('hidden');
    expect(ask('read', 'conf/prod.env')).toBe('pass');
    const facts = factsOf(hostOf(), { hiddenTargets });
    expect(judgeRename(policyOf(), { from: 'conf', to: 'open', kind: 'folder', facts }).verdict).toBe('copy');
  });

  test('a hard link of a hidden or protected file is as that file', () => {
    expect(ask('read', 'plain', { facts: { alias: hidden } })).toBe('hidden');
    expect(ask('write', 'plain', { facts: { alias: { ...hidden, verdict: 'private', lower: true } } })).toBe('private');
    expect(ask('write', 'plain')).toBe('pass');
  });

  test('an alias makes nothing weaker', () => {
    const alias = { verdict: 'pass', lower: true, rule: undefined } as const;
    expect(ask('read', '.env', { policy: policyOf({ hide: ['.env'] }), facts: { alias } })).toBe('hidden');
  });

  test('a protected file gets no second name', () => {
    expect(ask('link', '.git/config', { host: ['.git/HEAD', '.git/config'] })).toBe('private');
    expect(ask('link', '.vscode/tasks.json')).toBe('private');
  });
});

describe("what the host's git config names", () => {
  const named = indexPaths(['tools/hooks', 'scripts/fsmonitor.sh'], same);

  test('is private with all below it', () => {
    for (const path of ['tools/hooks', 'tools/hooks/pre-commit', 'scripts/fsmonitor.sh'])
      expect(ask('create', path, { facts: { named } })).toBe('private');
    expect(ask('write', 'tools/other', { facts: { named } })).toBe('pass');
  });

  test('a folder on the way becomes no link, and a link there stays', () => {
    expect(ask('create', 'tools', { kind: 'link', facts: { named } })).toBe('private');
    expect(ask('rename-to', 'tools', { kind: 'link', facts: { named } })).toBe('private');
    expect(ask('remove', 'tools', { host: ['tools@'], facts: { named } })).toBe('private');
    expect(ask('create', 'tools', { kind: 'folder', facts: { named } })).toBe('pass');
  });

  test('without the rule they pass', () => {
    const policy = policyOf({ without: ['git-named'] });
    expect(ask('create', 'tools/hooks/pre-commit', { policy, facts: { named } })).toBe('pass');
    expect(ask('create', 'tools', { policy, kind: 'link', facts: { named } })).toBe('pass');
  });
});

test('the private layer keeps what it has, whatever the host does', () => {
  const layer = (path: string) => (path === 'x/refs' ? ('opaque' as const) : undefined);
  expect(ask('write', 'x/refs/heads/main', { facts: { layer } })).toBe('own');
  expect(ask('read', 'f', { host: ['f'], facts: { layer: () => 'entry' } })).toBe('private');
});

test('without a kind the strictest is assumed', () => {
  const policy = policyOf({ hide: ['secrets/'] });
  expect(decideWorkspace(policy, { path: 'secrets', operation: 'lookup', facts: factsOf(hostOf()) }).verdict).toBe(
    'hidden',
  );
  const facts = factsOf(hostOf(['.git/HEAD']));
  expect(decideWorkspace(policy, { path: '.git/FETCH_HEAD', operation: 'create', facts }).verdict).toBe('private');
});

test('what is no path below the workspace is hidden', () => {
  for (const path of ['../x', 'a/../../x', '/a', 'a//b', './a', 'a/.', 'a\0b'])
    expect(ask('read', path)).toBe('hidden');
  expect(ask('list', '')).toBe('pass');
});

describe('a folder that no program of the host works in', () => {
  const policy = policyOf({ own: true, private: ['/auth.json'] });
  const written = [
    '.git/hooks/pre-commit',
    'plugins/x/.git/config',
    '.claude/settings.json',
    '.vscode/tasks.json',
    '.envrc',
  ];

  test('has no rules about those', () => {
    for (const path of written) expect(ask('create', path, { policy }), path).toBe('pass');
  });

  test('which hold elsewhere', () => {
    for (const path of written) expect(ask('create', path), path).toMatch(/^(private|own)$/);
  });

  test('keeps what is left out apart, also what gets its name later', () => {
    for (const operation of ['create', 'write', 'rename-to', 'link'] as const)
      expect(ask(operation, 'auth.json', { policy }), operation).toMatch(/^(private|own)$/);
    expect(ask('write', 'sessions/auth.json', { policy })).toBe('pass');
  });
});
