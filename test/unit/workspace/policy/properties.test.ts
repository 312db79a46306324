/** The policy against a model of the host's folder, to which is applied what passes and nothing else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { WorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { decideWorkspace } from '../../../../lib/workspace/policy/decide.ts';
import { judgeRename } from '../../../../lib/workspace/policy/rename.ts';
import type { EntryKind, WorkspaceFacts, WorkspaceOperation } from '../../../../lib/workspace/policy/types.ts';
import { factsOf, hostOf, OPERATIONS, policyOf, repository } from './model.ts';

type Host = Map<string, EntryKind>;
type Action = { operation: 'create' | 'remove' | 'write' | 'rename'; path: string; to: string; kind: EntryKind };

const NAMES = ['a', 'b', '.git', 'HEAD', 'objects', 'refs', 'commondir', 'config', 'hooks', 'modules', 'worktrees'];
const path = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const action: fc.Arbitrary<Action> = fc.record({
  operation: fc.constantFrom('create', 'create', 'create', 'remove', 'write', 'rename', 'rename'),
  path,
  to: path,
  kind: fc.constantFrom('file', 'folder', 'folder', 'link'),
});
const start = fc.subarray([
  ...repository('.git'),
  ...repository('a'),
  ...repository('b/a/.git'),
  '.git/modules/a/HEAD',
  '.git/modules/a/config',
  '.git/worktrees/b/HEAD',
  '.git/worktrees/b/commondir',
  'b/.git',
]);

const parentOf = (one: string) => one.slice(0, Math.max(0, one.lastIndexOf('/')));
const below = (host: Host, folder: string) => [...host.keys()].filter((one) => one.startsWith(`${folder}/`));
const isRoom = (host: Host, one: string) => parentOf(one) === '' || host.get(parentOf(one)) === 'folder';

/** Written apart from the policy, after git's own words: HEAD, and objects and refs here or in the common folder. */
function gitFolders(host: Host): string[] {
  const folders = ['', ...[...host].filter(([, kind]) => kind === 'folder').map(([one]) => one)];
  return folders.filter((folder) => {
    const has = (name: string) => host.has(folder === '' ? name : `${folder}/${name}`);
    return has('HEAD') && (has('commondir') || (has('objects') && has('refs')));
  });
}

function apply(policy: WorkspacePolicy, host: Host, { operation, path: one, to, kind }: Action): string | undefined {
  const facts = modelFacts(host);
  const passes = (what: WorkspaceOperation, ofKind = host.get(one)) =>
    decideWorkspace(policy, { path: one, kind: ofKind, operation: what, facts }).verdict === 'pass';
  if (operation === 'create') {
    if (!host.has(one) && isRoom(host, one) && passes('create', kind)) host.set(one, kind);
  } else if (operation === 'remove') {
    if (host.has(one) && below(host, one).length === 0 && passes('remove')) host.delete(one);
  } else if (operation === 'write') {
    return host.has(one) && passes('write') ? one : undefined;
  } else rename(policy, host, one, to);
  return undefined;
}

function modelFacts(host: Host): WorkspaceFacts {
  const isGit = (one: string) => one.endsWith('/.git') || gitFolders(host).includes(one);
  return factsOf(host, { gitBelow: (folder) => below(host, folder).some(isGit) });
}

function rename(policy: WorkspacePolicy, host: Host, from: string, to: string): void {
  const kind = host.get(from);
  const isFree = !host.has(to) || (host.get(to) === kind && below(host, to).length === 0);
  if (kind === undefined || !isFree || !isRoom(host, to) || `${to}/`.startsWith(`${from}/`)) return;
  if (judgeRename(policy, { from, to, kind, facts: modelFacts(host) }).verdict !== 'pass') return;
  const moved = [from, ...below(host, from)].map((one) => [one, host.get(one) as EntryKind] as const);
  for (const [one] of moved) host.delete(one);
  for (const [one, ofKind] of moved) host.set(to + one.slice(from.length), ofKind);
}

/** Folders that became repositories, and protected files that were written. */
function damage(policy: WorkspacePolicy, paths: string[], actions: Action[]): string[] {
  const host = hostOf(paths);
  const before = gitFolders(host);
  const trusted = before.flatMap((one) =>
    ['config', 'hooks', 'commondir'].map((name) => (one === '' ? name : `${one}/${name}`)),
  );
  const existed = new Map(trusted.map((one) => [one, host.get(one)]));
  const written = actions.map((one) => apply(policy, host, one));
  return [
    ...gitFolders(host).filter((one) => !before.includes(one)),
    ...before.filter((one) => !gitFolders(host).includes(one)),
    ...trusted.filter((one) => host.get(one) !== existed.get(one)),
    ...written.filter((one) => one !== undefined && trusted.some((file) => `${one}/`.startsWith(`${file}/`))),
  ].filter((one) => one !== undefined);
}

describe('no order of operations inside makes or changes a repository of the host', () => {
  const actions = fc.array(action, { maxLength: 40 });
  const holds = (policy: WorkspacePolicy) =>
    fc.property(start, actions, (paths, some) => damage(policy, paths, some).length === 0);

  test('with the rules', () => {
    fc.assert(holds(policyOf()), { numRuns: 1500 });
  });

  test.each([['git-complete'], ['git-keep'], ['git-config'], ['git-hooks']])('without %s some order does', (rule) => {
    const found = fc.check(holds(policyOf({ without: [rule] })), { numRuns: 20_000, endOnFailure: true });
    expect(found.failed).toBe(true);
  });
});

describe('hidden is hidden', () => {
  const name = fc.constantFrom('a', '.git', '.vscode', 'x.key', 'node_modules', 'HEAD', 'secret');
  const names = fc.array(name, { maxLength: 6 });

  test('at every depth, for every operation and kind, whatever else the project says', () => {
    const policy = policyOf({
      hide: ['secret', '*.pem'],
      readonly: ['a'],
      private: ['node_modules'],
      unprotect: ['.git'],
    });
    fc.assert(
      fc.property(
        names,
        fc.constantFrom('secret', 'k.pem'),
        names,
        fc.constantFrom(...OPERATIONS),
        fc.constantFrom('file', 'folder', 'link', undefined),
        start,
        (above, hidden, under, operation, kind, paths) => {
          const one = [...above, hidden, ...under].join('/');
          const facts = factsOf(hostOf(paths));
          return decideWorkspace(policy, { path: one, kind, operation, facts }).verdict === 'hidden';
        },
      ),
    );
  });

  test('no rename of a folder brings it to light', () => {
    const policy = policyOf({ hide: ['a/secret', '**/a/*.key', 'HEAD/**/secret', '*/a/secret'] });
    const hides = (one: string) =>
      decideWorkspace(policy, { path: one, operation: 'read', facts: factsOf(new Map()) }).verdict === 'hidden';
    fc.assert(
      fc.property(names, names, names, (from, to, under) => {
        const [source, target] = [`${from.join('/')}`, `${to.join('/')}`];
        fc.pre(source !== '' && target !== '' && under.length > 0);
        const { verdict } = judgeRename(policy, {
          from: source,
          to: target,
          kind: 'folder',
          facts: factsOf(new Map()),
        });
        const rest = under.join('/');
        return verdict !== 'pass' || hides(`${source}/${rest}`) === hides(`${target}/${rest}`);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('long paths and patterns', () => {
  test('4,000 levels ask a fixed number of questions for each', () => {
    const deep = Array.from({ length: 4000 }, (_, at) => (at % 3 === 0 ? 'objects' : 'a')).join('/');
    let asked = 0;
    const entry = () => {
      asked += 1;
      return undefined;
    };
    const policy = policyOf({ hide: ['**/a/**/b/**/c', 'x/y'], readonly: ['**/*a*a*a*b'] });
    expect(decideWorkspace(policy, { path: deep, operation: 'read', facts: { entry } }).verdict).toBe('pass');
    expect(asked).toBeLessThan(4000 * 10);
  });

  test('patterns that take a backtracking matcher for ever come to an end', () => {
    const policy = policyOf({ hide: [`${'*a'.repeat(60)}b`, `${'**/a/'.repeat(40)}b`] });
    const facts = factsOf(new Map());
    const long = `${'a/'.repeat(300)}${'a'.repeat(255)}`;
    expect(decideWorkspace(policy, { path: long, operation: 'read', facts }).verdict).toBe('pass');
    expect(decideWorkspace(policy, { path: `${'a/'.repeat(300)}b`, operation: 'read', facts }).verdict).toBe('hidden');
  });
});
