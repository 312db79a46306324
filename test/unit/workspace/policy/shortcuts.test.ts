/** What is answered early or again against the walk along the whole path. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPlainName } from '../../../../lib/workspace/facts/plain-name.ts';
import { decideAt, walkPath } from '../../../../lib/workspace/policy/decide.ts';
import { indexPaths } from '../../../../lib/workspace/policy/match/path-index.ts';
import type { WorkspaceFacts } from '../../../../lib/workspace/policy/types.ts';
import { walkTo } from '../../../../lib/workspace/policy/walk.ts';
import { WalkMemo } from '../../../../lib/workspace/server/walk-memo.ts';
import { factsOf, hostOf, OPERATIONS, policyOf, repository } from './model.ts';

const NAMES = [
  'a',
  'B',
  'x.key',
  '.env',
  '.git',
  '.vscode',
  'HEAD',
  'objects',
  'refs',
  'hooks',
  'node_modules',
  'sandbox.toml',
];
const path = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const paths = fc.array(path, { maxLength: 3 });
const rules = fc.record({
  hide: fc.subarray(['.env', '*.key', 'a/B', 'objects/']),
  readonly: fc.subarray(['a', 'B/**']),
  private: fc.subarray(['node_modules', 'a/HEAD']),
  unprotect: fc.subarray(['.vscode', 'a/.git', '.git']),
});
const policy = rules.map((lists) =>
  policyOf({ ...lists, configFiles: ['a/sandbox.toml'], fold: (name) => name.toLowerCase() }),
);
const facts = fc.record({
  host: fc.subarray([...repository('.git'), ...repository('a'), 'a/B/.git', 'B/HEAD']),
  named: paths,
  pointers: paths,
  hidden: paths,
});

type Given = typeof facts extends fc.Arbitrary<infer T> ? T : never;

function factsFrom({ host, named, pointers, hidden }: Given): WorkspaceFacts {
  const index = (list: string[]) => indexPaths(list, (name) => name.toLowerCase());
  return factsOf(hostOf(host), { named: index(named), pointers: index(pointers), hiddenTargets: index(hidden) });
}

test('a plain name is one that no rule covers', () => {
  let plain = 0;
  fc.assert(
    fc.property(
      policy,
      facts,
      fc.option(path, { nil: '' }),
      fc.constantFrom(...NAMES, 'plain'),
      (rule, given, folder, name) => {
        const known = factsFrom(given);
        const above = walkPath(rule, { path: folder, kind: 'folder', facts: known });
        if (above === undefined || !isPlainName(rule, { above, name, facts: known })) return;
        plain += 1;
        for (const kind of ['file', 'link', 'other'] as const)
          expect(walkTo(rule, { above, name, kind, facts: known }).findings).toEqual([]);
      },
    ),
    { numRuns: 2000 },
  );
  expect(plain).toBeGreaterThan(100);
});

test('a walk that is remembered is the walk that would be made', () => {
  fc.assert(
    fc.property(policy, facts, fc.array(path, { minLength: 1, maxLength: 8 }), (rule, given, asked) => {
      const known = factsFrom(given);
      const memo = new WalkMemo(rule, known);
      for (const one of [...asked, ...asked])
        for (const kind of ['file', 'folder', undefined] as const) {
          const [again, afresh] = [memo.at(one, kind), walkPath(rule, { path: one, kind, facts: known })];
          for (const operation of OPERATIONS)
            expect(again && decideAt(again, operation)).toEqual(afresh && decideAt(afresh, operation));
        }
    }),
    { numRuns: 200 },
  );
});

test.each(['/a', 'a//b', 'a/', 'a/../b', './a', 'a\0b'])('%j is no path', (text) => {
  expect(new WalkMemo(policyOf(), factsOf(hostOf())).at(text, 'file')).toBeUndefined();
});
