import { describe, expect, test } from 'vitest';
import { absent, planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox } from '../../../lib/plan/types.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { actions, apply, FILE, reconcile, rule, running, spec } from './spec.ts';

describe('steps', () => {
  test('a new sandbox is built, created, recorded', () => {
    expect(actions(planSandbox(spec(), absent('shop'), apply).steps)).toEqual(['build', 'create', 'record']);
  });

  test('a converged sandbox has no steps', () => {
    expect(planSandbox(spec(), running(spec()), apply)).toEqual({ changes: [], steps: [] });
  });

  test.each<[string, Partial<SandboxSpec>, string[]]>([
    ['packages', { packages: { apt: ['jq'], npm: [], pip: [], setup: [] } }, ['build', 'create', 'record']],
    [
      'resources',
      { resources: { cpus: 1, memoryBytes: 2 ** 31, diskBytes: 20 * 2 ** 30 } },
      ['build', 'create', 'record'],
    ],
    ['network', { network: { mode: 'enforce', allow: [rule('a.test')], deny: [], http: [] } }, ['network', 'record']],
    ['env', { env: { A: '1' } }, ['record']],
    [
      'hide',
      { workspace: { path: '/project', mode: 'mount', hide: ['.env'], readonly: [], unprotect: [] } },
      ['stop', 'start', 'record'],
    ],
  ])('a change of %s', (_name, change, steps) => {
    expect(actions(planSandbox(spec(change), running(spec()), apply).steps)).toEqual(steps);
  });

  test('another order of the setup lines is a change, of the packages is none', () => {
    const packages = (apt: string[], setup: string[]) => spec({ packages: { apt, npm: [], pip: [], setup } });
    const before = running(packages(['a', 'b'], ['one', 'two']));
    expect(planSandbox(packages(['b', 'a'], ['one', 'two']), before, apply).changes).toEqual([]);
    const { changes } = planSandbox(packages(['a', 'b'], ['two', 'one']), before, apply);
    expect(changes).toMatchObject([{ path: 'packages.setup', effect: 'rebuild' }]);
  });

  test('a removed sandbox is destroyed', () => {
    expect(actions(planSandbox(undefined, running(spec()), apply).steps)).toEqual(['destroy']);
    expect(planSandbox(undefined, absent('shop'), apply).steps).toEqual([]);
  });

  test('provenance alone is no change', () => {
    const moved = spec({
      sources: { env: { file: FILE, line: 9, column: 1 } },
      network: { mode: 'enforce', allow: [rule('a.test', 7)], deny: [], http: [] },
    });
    expect(
      planSandbox(
        moved,
        running(spec({ network: { mode: 'enforce', allow: [rule('a.test', 3)], deny: [], http: [] } })),
        apply,
      ).steps,
    ).toEqual([]);
  });

  test('a closed egress proxy is opened again, without a restart', () => {
    expect(actions(planSandbox(spec(), running(spec(), { networkHash: undefined }), reconcile).steps)).toEqual([
      'network',
    ]);
  });
});

describe('a VM that exited', () => {
  const ended = (change: Partial<ObservedSandbox> = {}, restart: SandboxSpec['lifecycle']['restart'] = 'on-failure') =>
    actions(
      planSandbox(
        spec({ lifecycle: { restart, idleSeconds: 0, pool: 0 } }),
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

  test('stays stopped after `sbx stop`, until apply', () => {
    expect(ended({ stopped: true }, 'always')).toEqual([]);
    expect(
      actions(planSandbox(spec(), running(spec(), { running: false, ready: false, stopped: true }), apply).steps),
    ).toEqual(['start']);
  });

  test('a VM that does not answer is restarted', () => {
    expect(actions(planSandbox(spec(), running(spec(), { ready: false }), reconcile).steps)).toEqual(['stop', 'start']);
  });
});
