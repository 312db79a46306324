import { expect, test } from 'vitest';
import { diffSpecs } from '../../../lib/plan/diff.ts';
import { absent, planSandbox } from '../../../lib/plan/plan.ts';
import { wideningHash } from '../../../lib/plan/widening.ts';
import type { PortSpec } from '../../../lib/spec/spec.ts';
import { FILE, hash, running, spec, want } from './spec.ts';

const place = (line: number) => ({ file: FILE, line, column: 3 });
const one = (change: Partial<PortSpec> = {}): PortSpec => ({ guest: 3000, host: 3000, source: place(4), ...change });
const options = { mode: 'apply', networkHash: hash } as const;
const projectOf = (ports?: PortSpec[]) => ({
  name: 'p',
  dir: '/project',
  files: [],
  sandboxes: [spec(ports === undefined ? {} : { ports })],
});

test('a new port widens, at its place, and is live', () => {
  const after = spec({
    ports: [one(), one({ guest: 4000, source: place(9) })],
    sources: { 'ports[0]': place(4), 'ports[1]': place(9) },
  });
  expect(diffSpecs(spec({ ports: [one()] }), after)).toMatchObject([
    { path: 'ports', effect: 'live', widens: true, source: place(9) },
  ]);
  const plan = planSandbox(want(after), running(spec()), options);
  expect(plan.changes).toMatchObject([{ path: 'ports', widens: true }]);
  expect(plan.steps.map(({ action }) => action)).toEqual(['record']);
});

test.each([
  ['address', { address: '0.0.0.0' }],
  ['port of the host', { host: 80 }],
])('another %s widens', (_, change) => {
  const [found] = diffSpecs(spec({ ports: [one()] }), spec({ ports: [one(change)] }));
  expect(found).toMatchObject({ path: 'ports', widens: true });
});

test('a removed one does not widen, and another place is no change', () => {
  expect(diffSpecs(spec({ ports: [one()] }), spec())).toMatchObject([{ path: 'ports', widens: false }]);
  expect(diffSpecs(spec({ ports: [one()] }), spec({ ports: [one({ source: place(30) })] }))).toEqual([]);
});

test('those of a new sandbox need approval, by a hash that others keep', () => {
  const plan = planSandbox(want(spec({ ports: [one()] })), absent('shop'), options);
  expect(plan.changes.filter(({ widens }) => widens)).toMatchObject([{ path: 'ports', effect: 'create' }]);
  expect(wideningHash(projectOf([one()]))).not.toBe(wideningHash(projectOf()));
  expect(wideningHash(projectOf([one({ address: '::' })]))).not.toBe(wideningHash(projectOf([one()])));
  expect(wideningHash(projectOf([]))).toBe(wideningHash(projectOf()));
});
