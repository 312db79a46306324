import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SandboxSpec } from '../../../lib/config/spec.ts';
import { EFFECTS } from '../../../lib/plan/effects.ts';
import { explainChange } from '../../../lib/plan/explain.ts';
import { absent, planProject, planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox, Step } from '../../../lib/plan/types.ts';
import { wideningHash } from '../../../lib/plan/widening.ts';
import { FILE, hash, rule, running, spec } from './spec.ts';

const apply = { mode: 'apply', networkHash: hash } as const;
const reconcile = { mode: 'reconcile', networkHash: hash } as const;
const actions = (steps: Step[]) => steps.map(({ action }) => action);

describe('steps', () => {
  test('a new sandbox is built, created, recorded', () => {
    expect(actions(planSandbox(spec(), absent('shop'), apply).steps)).toEqual(['build', 'create', 'record']);
  });

  test('a converged one needs nothing', () => {
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

  test('a dropped sandbox is destroyed', () => {
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

  test('a shut door is opened again, without a restart', () => {
    expect(actions(planSandbox(spec(), running(spec(), { networkHash: undefined }), reconcile).steps)).toEqual([
      'network',
    ]);
  });
});

describe('a machine that ended', () => {
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

  test('starts again by its policy', () => {
    expect(ended()).toEqual(['start']);
    expect(ended({ exit: { code: 0, at: 0 } })).toEqual([]);
    expect(ended({ exit: { code: 0, at: 0 } }, 'always')).toEqual(['start']);
    expect(ended({}, 'never')).toEqual([]);
  });

  test('stays stopped when the user stopped it, until apply', () => {
    expect(ended({ stoppedByUser: true }, 'always')).toEqual([]);
    expect(
      actions(planSandbox(spec(), running(spec(), { running: false, ready: false, stoppedByUser: true }), apply).steps),
    ).toEqual(['start']);
  });

  test('one that does not answer is restarted', () => {
    expect(actions(planSandbox(spec(), running(spec(), { ready: false }), reconcile).steps)).toEqual(['stop', 'start']);
  });
});

describe('widening', () => {
  const network = (allow: ReturnType<typeof rule>[], deny: ReturnType<typeof rule>[] = []) =>
    spec({ network: { mode: 'enforce', allow, deny, http: [] } });
  const widens = (from: SandboxSpec, to: SandboxSpec) =>
    planSandbox(to, running(from), apply).changes.some((change) => change.widens);

  test('more allowed, less denied, less hidden, more mounted widen; the reverse does not', () => {
    const [less, more] = [network([]), network([rule('a.test')])];
    expect([widens(less, more), widens(more, less)]).toEqual([true, false]);
    const [strict, loose] = [network([], [rule('b.test')]), network([])];
    expect([widens(strict, loose), widens(loose, strict)]).toEqual([true, false]);
    const hidden = spec({
      workspace: { path: '/project', mode: 'mount', hide: ['.env'], readonly: [], unprotect: [] },
    });
    expect([widens(hidden, spec()), widens(spec(), hidden)]).toEqual([true, false]);
    const mounted = spec({ mounts: [{ host: '/data', guest: '/data', readonly: true, source: 'default' }] });
    expect([widens(spec(), mounted), widens(mounted, spec())]).toEqual([true, false]);
  });

  test('what the host itself is configured to use does not', () => {
    expect(widens(spec(), network([rule('mirror.test:80', 1, 'preset:apt')]))).toBe(false);
  });

  test('the first rule by method and path narrows a host; a further one, or none any more, widens', () => {
    const http = (...paths: string[]) =>
      spec({
        network: {
          mode: 'enforce',
          allow: [],
          deny: [],
          http: paths.map((path) => ({ host: 'a.test', methods: [], paths: [path], source: 'default' as const })),
        },
      });
    expect([widens(http(), http('/a')), widens(http('/a'), http())]).toEqual([false, true]);
    expect([widens(http('/a'), http('/a', '/b')), widens(http('/a', '/b'), http('/a'))]).toEqual([true, false]);
    expect(widens(http('/a'), http('/b'))).toBe(true);
  });

  test('a limit on bandwidth that is raised or dropped widens; one that is set or lowered does not', () => {
    const limited = (bandwidth: number) => spec({ network: { ...spec().network, bandwidth } });
    expect([widens(limited(1_000), limited(2_000)), widens(limited(1_000), spec())]).toEqual([true, true]);
    expect([widens(limited(2_000), limited(1_000)), widens(spec(), limited(1_000))]).toEqual([false, false]);
    const hashOf = (one: SandboxSpec) =>
      wideningHash({ name: 'p', dir: '/project', files: [], sandboxes: [one], unsupported: [] });
    expect(hashOf(limited(1_000))).not.toBe(hashOf(limited(2_000)));
    expect(planSandbox(limited(1_000), running(spec()), apply).changes).toMatchObject([
      { path: 'network.bandwidth', effect: 'live' },
    ]);
  });

  test('mode "observe" widens, live and at birth; back to "enforce" does not', () => {
    const { network: enforce } = spec();
    const observing = spec({ network: { ...enforce, mode: 'observe' } });
    expect([widens(spec(), observing), widens(observing, spec())]).toEqual([true, false]);
    const found = planSandbox(observing, running(spec()), apply).changes;
    expect(found).toMatchObject([{ path: 'network.mode', from: 'enforce', to: 'observe', effect: 'live' }]);
    const birth = planSandbox(observing, absent('shop'), apply).changes;
    expect(birth.filter((change) => change.widens)).toMatchObject([{ path: 'network.mode', to: 'observe' }]);
  });

  test('at birth everything of these kinds counts, and the hash knows it', () => {
    const wide = network([rule('a.test', 4)]);
    expect(
      planSandbox(wide, absent('shop'), apply)
        .changes.filter((change) => change.widens)
        .map(({ path }) => path),
    ).toEqual(['network.allow']);
    const project = (one: SandboxSpec) => ({
      name: 'p',
      dir: '/project',
      files: [],
      sandboxes: [one],
      unsupported: [],
    });
    expect(wideningHash(project(wide))).not.toBe(wideningHash(project(spec())));
    expect(wideningHash(project(spec({ env: { A: '1' } })))).toBe(wideningHash(project(spec())));
  });
});

describe('every field of a spec', () => {
  test('has its effect in the table', () => {
    // With the fields that may be missing.
    const full = spec({
      network: { ...spec().network, bandwidth: 1 },
      agent: { ...spec().agent, files: {}, template: '' },
    });
    expect(Object.keys(EFFECTS).toSorted()).toEqual(Object.keys(full).toSorted());
    for (const [field, effect] of Object.entries(EFFECTS)) {
      if (typeof effect === 'object')
        expect(Object.keys(effect).toSorted()).toEqual(Object.keys(full[field as 'image']).toSorted());
    }
  });
});

describe('explanations', () => {
  test('name the change, what it costs and its line', () => {
    const next = spec({
      network: { mode: 'enforce', allow: [rule('a.test', 7)], deny: [], http: [] },
      sources: { 'network.allow[0]': { file: FILE, line: 7, column: 3 } },
    });
    const [change] = planSandbox(next, running(spec()), apply).changes;
    expect(change === undefined ? '' : explainChange(change)).toBe(
      'shop: network.allow: + a.test → takes effect at once · WIDENS (/project/sandbox.toml:7)',
    );
  });
});

/** Carries out steps in a world of plain data. */
function perform(world: ObservedSandbox, step: Step): ObservedSandbox {
  switch (step.action) {
    case 'build':
      return world;
    case 'create':
    case 'start':
      return {
        ...world,
        exists: true,
        running: true,
        ready: true,
        stoppedByUser: false,
        exit: undefined,
        networkHash: hash(step.spec),
      };
    case 'stop':
      return { ...world, running: false, ready: false };
    case 'network':
      return { ...world, networkHash: hash(step.spec) };
    case 'record':
      return { ...world, applied: step.spec };
    case 'destroy':
      return absent(world.name);
  }
}

describe('convergence', () => {
  const anySpec = fc
    .record({
      allow: fc.subarray(['a.test', 'b.test']),
      apt: fc.subarray(['jq', 'git']),
      hide: fc.subarray(['.env']),
      cpus: fc.constantFrom(1, 2),
    })
    .map(({ allow, apt, hide, cpus }) =>
      spec({
        network: { mode: 'enforce', allow: allow.map((one) => rule(one)), deny: [], http: [] },
        packages: { apt, npm: [], pip: [], setup: [] },
        workspace: { path: '/project', mode: 'mount', hide, readonly: [], unprotect: [] },
        resources: { cpus, memoryBytes: 2 ** 31, diskBytes: 20 * 2 ** 30 },
      }),
    );
  const anyWorld = fc
    .record({
      applied: fc.option(anySpec, { nil: undefined }),
      exists: fc.boolean(),
      running: fc.boolean(),
      ready: fc.boolean(),
      stoppedByUser: fc.boolean(),
      door: fc.boolean(),
    })
    .map(
      ({ applied, exists, running: runs, ready, stoppedByUser, door }): ObservedSandbox =>
        exists
          ? {
              name: 'shop',
              exists,
              applied,
              running: runs,
              ready: runs && ready,
              stoppedByUser,
              exit: undefined,
              networkHash: door && applied !== undefined ? hash(applied) : undefined,
              warmKey: undefined,
            }
          : absent('shop'),
    );

  test('from any state, killed after any step, a few applies reach the target, and then nothing is left to do', () => {
    fc.assert(
      fc.property(anySpec, anyWorld, fc.infiniteStream(fc.nat(3)), (target, start, kills) => {
        let world = start;
        for (let round = 0; round < 6; round += 1) {
          const { steps } = planSandbox(target, world, apply);
          const until = round < 3 ? (kills.next().value ?? 0) : steps.length;
          for (const step of steps.slice(0, until)) world = perform(world, step);
        }
        expect(planSandbox(target, world, apply)).toEqual({ changes: [], steps: [] });
        expect(world.running && world.ready).toBe(true);
      }),
    );
  });

  test('a project plans each of its sandboxes, and only those asked for', () => {
    const project = {
      name: 'p',
      dir: '/project',
      files: [],
      sandboxes: [spec({ name: 'a' }), spec({ name: 'b' })],
      unsupported: [],
    };
    expect(planProject(project, [running(spec({ name: 'gone' }))], apply).steps.map(({ sandbox }) => sandbox)).toEqual([
      'a',
      'a',
      'a',
      'b',
      'b',
      'b',
      'gone',
    ]);
    expect(planProject(project, [], { ...apply, only: ['b'] }).steps.map(({ sandbox }) => sandbox)).toEqual([
      'b',
      'b',
      'b',
    ]);
  });
});
