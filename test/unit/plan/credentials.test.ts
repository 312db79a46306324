import { expect, test } from 'vitest';
import { diffSpecs } from '../../../lib/plan/diff.ts';
import { absent, planSandbox } from '../../../lib/plan/plan.ts';
import { wideningHash } from '../../../lib/plan/widening.ts';
import type { CredentialSpec } from '../../../lib/spec/spec.ts';
import { FILE, hash, running, spec, want } from './spec.ts';

const place = (line: number) => ({ file: FILE, line, column: 3 });
const one = (change: Partial<CredentialSpec> = {}): CredentialSpec => ({
  secret: 'github',
  env: 'GITHUB_TOKEN',
  host: 'api.github.com',
  header: 'authorization',
  format: 'Bearer {}',
  source: place(4),
  ...change,
});
const options = { mode: 'apply', networkHash: hash } as const;
const projectOf = (...credentials: CredentialSpec[]) => ({
  name: 'p',
  dir: '/project',
  files: [],
  sandboxes: [spec({ credentials })],
});

test('a new credential widens, at its place, and is live', () => {
  const before = spec({ credentials: [one()] });
  const after = spec({
    credentials: [one(), one({ host: 'github.com', source: place(9) })],
    sources: { 'credentials[0]': place(4), 'credentials[1]': place(9) },
  });
  expect(diffSpecs(before, after)).toMatchObject([
    { path: 'credentials', effect: 'live', widens: true, source: place(9) },
  ]);
  const plan = planSandbox(want(after), running(before), options);
  expect(plan.steps.map(({ action }) => action)).toEqual(['record']);
});

test.each([
  ['another host', { host: 'evil.test' }],
  ['another secret', { secret: 'deploy-key' }],
  ['another header', { header: 'x-api-key' }],
  ['another format', { format: '{}' }],
])('%s for the same variable widens', (_name, change) => {
  const [found] = diffSpecs(spec({ credentials: [one()] }), spec({ credentials: [one(change)] }));
  expect(found?.widens).toBe(true);
});

test('a removed credential does not widen; a moved line is no change', () => {
  expect(diffSpecs(spec({ credentials: [one()] }), spec())).toMatchObject([{ path: 'credentials', widens: false }]);
  expect(diffSpecs(spec({ credentials: [one()] }), spec({ credentials: [one({ source: place(30) })] }))).toEqual([]);
});

test('a new sandbox with a credential needs approval', () => {
  const plan = planSandbox(want(spec({ credentials: [one()] })), absent('shop'), options);
  expect(plan.changes.filter(({ widens }) => widens)).toMatchObject([{ path: 'credentials', effect: 'create' }]);
});

test('the approved hash covers every field; without credentials, earlier approvals stay valid', () => {
  const hashes = [
    projectOf(),
    projectOf(one()),
    projectOf(one({ host: 'github.com' })),
    projectOf(one({ header: 'x-api-key' })),
    projectOf(one({ env: 'GH_TOKEN' })),
  ].map(wideningHash);
  expect(new Set(hashes).size).toBe(hashes.length);
  expect(wideningHash(projectOf(one({ source: place(99) })))).toBe(hashes[1]);
});
