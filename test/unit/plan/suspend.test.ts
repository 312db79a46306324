import { describe, expect, test } from 'vitest';
import { explainChange } from '../../../lib/plan/explain.ts';
import { endedBy } from '../../../lib/plan/loss.ts';
import { planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox } from '../../../lib/plan/types.ts';
import { actions, apply, reconcile, rule, running, spec, want } from './spec.ts';

const GIB = 2 ** 30;
const { cpus, memoryBytes, diskBytes } = spec().resources;
const SIZE = { cpus, memoryBytes };
const DOWN: Partial<ObservedSandbox> = { running: false, ready: false };
const asleep = (of = spec(), change: Partial<ObservedSandbox> = {}) =>
  running(of, { ...DOWN, power: 'suspended', suspended: SIZE, ...change });
const toBe = (power: 'on' | 'off' | 'suspended', of = spec()) => want(of, { power });

describe('a sandbox that is to be suspended', () => {
  test('is suspended when it runs, also when it does not answer, and stays so', () => {
    const { changes, steps } = planSandbox(toBe('suspended'), running(spec()), reconcile);
    expect(actions(steps)).toEqual(['suspend']);
    expect(changes).toMatchObject([{ path: 'power', from: 'on', to: 'suspended', effect: 'live' }]);
    const silent = running(spec(), { ready: false });
    expect(actions(planSandbox(toBe('suspended'), silent, reconcile).steps)).toEqual(['suspend']);
    for (const mode of [apply, reconcile])
      expect(planSandbox(toBe('suspended'), asleep(), mode)).toEqual({ changes: [], steps: [] });
  });

  test('is left alone when it does not run: a VM that ended has no memory to save', () => {
    expect(planSandbox(toBe('suspended'), running(spec(), DOWN), reconcile).steps).toEqual([]);
  });

  test('loses nothing by it, and does by a stop', () => {
    expect(endedBy(planSandbox(toBe('suspended'), running(spec()), reconcile).steps)).toEqual([]);
    const { steps } = planSandbox(toBe('off'), asleep(), reconcile);
    expect(actions(steps)).toEqual(['stop']);
    expect(endedBy(steps)).toEqual([{ sandbox: 'shop', losesDisk: false }]);
  });
});

describe('a suspended sandbox that is to be on', () => {
  test.each(['always', 'on-failure', 'never'] as const)('continues, whatever its restart policy (%s)', (restart) => {
    const of = spec({ lifecycle: { restart, idleSeconds: 0, pool: 0 } });
    for (const mode of [apply, reconcile]) {
      const { changes, steps } = planSandbox(toBe('on', of), asleep(of, { exit: { code: 0, at: 0 } }), mode);
      expect(actions(steps)).toEqual(['resume']);
      expect(changes.map((one) => explainChange(one))).toEqual(['shop: power: suspended → on → takes effect at once']);
    }
  });

  test('gets what the file changed meanwhile once it runs', () => {
    const next = spec({
      network: { mode: 'enforce', allow: [rule('new.test')], deny: [], http: [] },
      packages: { ...spec().packages, apt: ['jq'] },
      resources: { ...spec().resources, diskBytes: diskBytes + GIB },
    });
    const { steps } = planSandbox(toBe('on', next), asleep(), apply);
    expect(actions(steps)).toEqual(['resume', 'grow', 'install', 'record']);
  });

  test.each([
    ['another size', spec({ resources: { cpus: 3, memoryBytes, diskBytes } }), {}],
    ['another size, recorded by an apply that was cut off', spec(), { suspended: { cpus: 3, memoryBytes } }],
    ['another mount', spec({ mounts: [{ host: '/h', guest: '/g', readonly: true, source: 'default' }] as never }), {}],
  ])('boots where that needs a restart, and says that its processes end: %s', (_, next, change) => {
    const { changes, steps } = planSandbox(toBe('on', next), asleep(spec(), change), apply);
    expect(actions(steps).slice(0, 2)).toEqual(['stop', 'start']);
    expect(changes.at(-1)).toMatchObject({ path: 'power', from: 'suspended', to: 'on', effect: 'restart' });
    expect(endedBy(steps)).toEqual([{ sandbox: 'shop', losesDisk: false }]);
  });

  test('boots after a restart was asked for, and is cloned again after a reset', () => {
    expect(actions(planSandbox(want(spec(), { boot: 2 }), asleep(), reconcile).steps)).toEqual(['stop', 'start']);
    const { steps } = planSandbox(want(spec(), { generation: 2 }), asleep(), reconcile);
    expect(actions(steps)).toEqual(['build', 'create', 'record']);
  });
});

test('a suspended sandbox that is removed is destroyed', () => {
  expect(actions(planSandbox(want(undefined), asleep(), reconcile).steps)).toEqual(['destroy']);
});
