import { expect, test } from 'vitest';
import { onlyAdded } from '../../../lib/plan/widening.ts';
import type { ProjectSpec, SandboxSpec } from '../../../lib/spec/spec.ts';
import { rule, spec } from './spec.ts';

const project = (...sandboxes: SandboxSpec[]): ProjectSpec => ({
  name: 'p',
  dir: '/project',
  files: [],
  sandboxes,
});
const network = (change: Partial<SandboxSpec['network']>) => spec({ network: { ...spec().network, ...change } });
const before = project(network({ allow: [rule('a.test')] }));
const both = [rule('a.test'), rule('new.test')];

test.each<[string, ProjectSpec, boolean]>([
  ['the entry', project(network({ allow: both })), true],
  ['the entry before the others', project(network({ allow: both.toReversed() })), true],
  ['a preset of that name', project(network({ allow: [rule('a.test'), rule('m.test:80', 1, 'new.test')] })), true],
  ['another entry as well', project(network({ allow: [...both, rule('evil.test')] })), false],
  ['an entry replaced', project(network({ allow: [rule('new.test')] })), false],
  ['mode observe as well', project(network({ allow: both, mode: 'observe' })), false],
  [
    'a mount as well',
    project({ ...network({ allow: both }), mounts: [{ host: '/', guest: '/h', readonly: true, source: 'default' }] }),
    false,
  ],
  ['another sandbox as well', project(network({ allow: both }), { ...spec(), name: 'other' }), false],
])('%s: %s', (_name, after, expected) => expect(onlyAdded(before, after, ['new.test'])).toBe(expected));

test('in one of two sandboxes', () => {
  const [one, two] = [network({ allow: [rule('a.test')] }), { ...spec(), name: 'two' }];
  const after = project(network({ allow: both }), two);
  expect(onlyAdded(project(one, two), after, ['new.test'])).toBe(true);
});
