import { describe, expect, test } from 'vitest';
import { absent, planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox } from '../../../lib/plan/types.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { actions, apply, FILE, reconcile, rule, running, spec, want } from './spec.ts';

describe('steps', () => {
  test('a new sandbox is built, created, recorded', () => {
    expect(actions(planSandbox(want(spec()), absent('shop'), apply).steps)).toEqual(['build', 'create', 'record']);
  });

  test('a converged sandbox has no steps', () => {
    expect(planSandbox(want(spec()), running(spec()), apply)).toEqual({ changes: [], steps: [] });
  });

  test.each<[string, Partial<SandboxSpec>, string[]]>([
    ['packages', { packages: { apt: ['jq'], npm: [], pip: [], setup: [] } }, ['install', 'record']],
    ['network', { network: { mode: 'enforce', allow: [rule('a.test')], deny: [], http: [] } }, ['network', 'record']],
    ['env', { env: { A: '1' } }, ['record']],
    [
      'hide',
      { workspace: { path: '/project', mode: 'mount', hide: ['.env'], readonly: [], unprotect: [] } },
      ['record'],
    ],
    [
      'the workspace itself',
      { workspace: { path: '/other', mode: 'mount', hide: [], readonly: [], unprotect: [] } },
      ['stop', 'start', 'record'],
    ],
  ])('a change of %s', (_name, change, steps) => {
    expect(actions(planSandbox(want(spec(change)), running(spec()), apply).steps)).toEqual(steps);
  });

  test('another order of the setup lines is a change, of the packages is none', () => {
    const packages = (apt: string[], setup: string[]) => spec({ packages: { apt, npm: [], pip: [], setup } });
    const before = running(packages(['a', 'b'], ['one', 'two']));
    expect(planSandbox(want(packages(['b', 'a'], ['one', 'two'])), before, apply).changes).toEqual([]);
    const { changes } = planSandbox(want(packages(['a', 'b'], ['two', 'one'])), before, apply);
    expect(changes).toMatchObject([{ path: 'packages.setup', effect: 'rebuild' }]);
  });

  test('a removed sandbox is destroyed', () => {
    expect(actions(planSandbox(want(undefined), running(spec()), apply).steps)).toEqual(['destroy']);
    expect(planSandbox(want(undefined), absent('shop'), apply).steps).toEqual([]);
  });

  test('provenance alone is no change', () => {
    const moved = spec({
      sources: { env: { file: FILE, line: 9, column: 1 } },
      network: { mode: 'enforce', allow: [rule('a.test', 7)], deny: [], http: [] },
    });
    expect(
      planSandbox(
        want(moved),
        running(spec({ network: { mode: 'enforce', allow: [rule('a.test', 3)], deny: [], http: [] } })),
        apply,
      ).steps,
    ).toEqual([]);
  });

  test('a closed egress proxy is opened again, without a restart', () => {
    expect(actions(planSandbox(want(spec()), running(spec(), { networkHash: undefined }), reconcile).steps)).toEqual([
      'network',
    ]);
  });
});

describe('a VM that exited', () => {
  const ended = (change: Partial<ObservedSandbox> = {}, restart: SandboxSpec['lifecycle']['restart'] = 'on-failure') =>
    actions(
      planSandbox(
        want(spec({ lifecycle: { restart, idleSeconds: 0, pool: 0 } })),
        running(spec({ lifecycle: { restart, idleSeconds: 0, pool: 0 } }), {
          running: false,
          ready: false,
          exit: { code: undefined, at: 0 },
          ...change,
        }),
        reconcile,
      ).steps,
    );

  test('is restarted according to its policy', () => {
    expect(ended()).toEqual(['start']);
    expect(ended({ exit: { code: 0, at: 0 } })).toEqual([]);
    expect(ended({ exit: { code: 0, at: 0 } }, 'always')).toEqual(['start']);
    expect(ended({}, 'never')).toEqual([]);
  });

  test('stays off when it is to be off, until apply', () => {
    const stopped = running(spec(), { running: false, ready: false, power: 'off' });
    expect(planSandbox(want(spec(), { power: 'off' }), stopped, reconcile)).toEqual({ changes: [], steps: [] });
    const { steps, changes } = planSandbox(want(spec()), stopped, apply);
    expect(actions(steps)).toEqual(['start']);
    expect(changes).toMatchObject([{ path: 'power', from: 'off', to: 'on', effect: 'restart' }]);
  });

  test('a VM that does not answer is restarted', () => {
    expect(actions(planSandbox(want(spec()), running(spec(), { ready: false }), reconcile).steps)).toEqual([
      'stop',
      'start',
    ]);
  });
});

describe('a request', () => {
  test('to be off stops the VM, whatever the spec says, and shows as a change of power', () => {
    const { changes, steps } = planSandbox(
      want(spec({ env: { A: '1' } }), { power: 'off' }),
      running(spec()),
      reconcile,
    );
    expect(actions(steps)).toEqual(['stop']);
    expect(changes).toMatchObject([{ path: 'power', from: 'on', to: 'off' }]);
  });

  test('to be off stops a sandbox that was never applied in full', () => {
    const half = running(spec(), { applied: undefined });
    expect(actions(planSandbox(want(spec(), { power: 'off' }), half, reconcile).steps)).toEqual(['stop']);
  });

  test('to reset replaces the disk until the generation is reached, also in the background', () => {
    const desired = want(spec(), { generation: 2 });
    for (const observed of [running(spec()), running(spec(), { running: false, ready: false })]) {
      const { changes, steps } = planSandbox(desired, observed, reconcile);
      expect(actions(steps)).toEqual(['build', 'create', 'record']);
      expect(steps[1]).toMatchObject({ action: 'create', generation: 2 });
      expect(changes).toContainEqual(
        expect.objectContaining({ path: 'generation', from: 1, to: 2, effect: 'rebuild' }),
      );
    }
    expect(planSandbox(desired, running(spec(), { generation: 2 }), reconcile).steps).toEqual([]);
  });

  test('to restart boots again on the same disk until the boot is reached', () => {
    const desired = want(spec(), { boot: 2 });
    const { changes, steps } = planSandbox(desired, running(spec()), reconcile);
    expect(actions(steps)).toEqual(['stop', 'start']);
    expect(changes).toMatchObject([{ path: 'boot', from: 1, to: 2, effect: 'restart' }]);
    expect(planSandbox(desired, running(spec(), { boot: 2 }), reconcile).steps).toEqual([]);
  });

  test('to start is stronger than the restart policy', () => {
    const never = spec({ lifecycle: { restart: 'never', idleSeconds: 0, pool: 0 } });
    const ended = running(never, { running: false, ready: false });
    expect(planSandbox(want(never), ended, reconcile).steps).toEqual([]);
    expect(actions(planSandbox(want(never, { boot: 2 }), ended, reconcile).steps)).toEqual(['start']);
  });
});
