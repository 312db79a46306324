import { expect, test } from 'vitest';
import { explainWorkspace } from '../../../../lib/workspace/policy/explain.ts';
import { FILE, factsOf, hostOf, policyOf, repository } from './model.ts';

const policy = policyOf({ hide: ['a', '.env'], readonly: ['gen'], private: ['node_modules'] });
const facts = factsOf(hostOf([...repository('.git'), 'src/x']));
const explain = (path: string) => explainWorkspace(policy, { path, facts }).lines;

test('a pattern is named with its line, and what to remove', () => {
  expect(explain('sub/.env')).toEqual([
    'read: hidden: no such file',
    'write: refused',
    `rule: hide = [".env"] (${FILE}:2): the project hides it`,
    `to change it: remove the entry in ${FILE}:2`,
  ]);
  expect(explain('gen/x')).toContain("read: the host's entry");
  expect(explain('gen/x')).toContain('write: refused: read-only');
  expect(explain('node_modules/x')).toContain("read: the sandbox's own only");
});

test('a built-in rule says why, and what opens it', () => {
  expect(explain('.git/config')).toEqual([
    "read: the sandbox's own version, or else the host's",
    "write: the private layer of the sandbox; the host's entry never changes",
    'rule: .git/config (built in): git runs commands that it names',
    'to change it: unprotect = [".git/config"] under [workspace], if the host may run what the agent writes there',
  ]);
});

test.each([
  '.git/config',
  '.git/hooks/x',
  'sub/.git/config',
  'sub/.git/',
  'sub/.git/hooks/pre-commit',
  '.vscode/tasks.json',
  '.envrc',
])('what it says for %s opens it', (path) => {
  const { hint = '' } = explainWorkspace(policy, { path, facts });
  const unprotect: string[] = JSON.parse(/\[.*?\]/.exec(hint)?.[0] ?? '[]');
  const opened = policyOf({ unprotect });
  expect(explainWorkspace(opened, { path, facts }).write.verdict).toBe('pass');
  expect(explainWorkspace(policyOf(), { path, facts }).write.verdict).not.toBe('pass');
});

test('what passes has no rule', () => {
  expect(explain('src/x')).toEqual(["read: the host's entry", "write: the host's entry", 'rule: none']);
});

test('a slash at the end means a folder that is not there yet', () => {
  const one = policyOf({ hide: ['secrets/'] });
  expect(explainWorkspace(one, { path: 'secrets/', facts }).read.verdict).toBe('hidden');
  expect(explainWorkspace(one, { path: 'secrets', facts }).read.verdict).toBe('pass');
});

test('a path that can never be has no way out', () => {
  expect(explainWorkspace(policy, { path: '../x', facts }).hint).toBeUndefined();
});
