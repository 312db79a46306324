import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { absent, planProject, planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox, Step } from '../../../lib/plan/types.ts';
import { apply, hash, rule, running, spec, want } from './spec.ts';

const SIZE = { cpus: 1, memoryBytes: 2 ** 31 };

/** Performs steps in a world of plain data. */
function perform(world: ObservedSandbox, step: Step): ObservedSandbox {
  switch (step.action) {
    case 'build':
      return world;
    case 'create':
    case 'start':
    case 'resume':
      return {
        ...world,
        exists: true,
        running: true,
        ready: true,
        generation: step.action === 'create' ? step.generation : world.generation,
        boot: step.boot,
        exit: undefined,
        suspended: undefined,
        networkHash: hash(step.spec),
        size: { cpus: step.spec.resources.cpus, memoryBytes: step.spec.resources.memoryBytes },
      };
    case 'stop':
      return { ...world, running: false, ready: false, size: undefined, suspended: undefined };
    case 'suspend':
      return { ...world, running: false, ready: false, size: undefined, suspended: world.size ?? SIZE };
    case 'grow':
    case 'install':
      return world;
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
      gib: fc.constantFrom(10, 20),
    })
    .map(({ allow, apt, hide, cpus, gib }) =>
      spec({
        network: { mode: 'enforce', allow: allow.map((one) => rule(one)), deny: [], http: [] },
        packages: { apt, npm: [], pip: [], setup: [] },
        workspace: { path: '/project', mode: 'mount', hide, readonly: [], unprotect: [] },
        resources: { cpus, memoryBytes: 2 ** 31, diskBytes: gib * 2 ** 30 },
      }),
    );
  const anyCounters = fc.record({ generation: fc.constantFrom(1, 2), boot: fc.constantFrom(1, 2) });
  const anyWorld = fc
    .record({
      applied: fc.option(anySpec, { nil: undefined }),
      exists: fc.boolean(),
      running: fc.boolean(),
      ready: fc.boolean(),
      off: fc.boolean(),
      generation: fc.constantFrom(1, 2),
      boot: fc.constantFrom(1, 2),
      served: fc.boolean(),
      suspended: fc.boolean(),
      size: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
    })
    .map(
      ({ applied, exists, running: runs, ready, off, generation, boot, served, suspended, size }): ObservedSandbox =>
        exists
          ? {
              name: 'shop',
              exists,
              applied,
              running: runs,
              ready: runs && ready,
              power: off ? 'off' : 'on',
              generation,
              boot,
              exit: undefined,
              suspended: suspended && !runs ? { cpus: size ?? 1, memoryBytes: 2 ** 31 } : undefined,
              networkHash: served && applied !== undefined ? hash(applied) : undefined,
              warmKey: undefined,
              size: runs && size !== undefined ? { cpus: size, memoryBytes: 2 ** 31 } : undefined,
            }
          : absent('shop'),
    );

  test('from any state, killed after any step, a few applies converge, and then the plan is empty', () => {
    fc.assert(
      fc.property(anySpec, anyCounters, anyWorld, fc.infiniteStream(fc.nat(3)), (target, counters, start, kills) => {
        const desired = want(target, counters);
        let world = start;
        for (let round = 0; round < 6; round += 1) {
          const { steps } = planSandbox(desired, world, apply);
          const until = round < 3 ? (kills.next().value ?? 0) : steps.length;
          for (const step of steps.slice(0, until)) world = perform(world, step);
        }
        expect(planSandbox(desired, world, apply)).toEqual({ changes: [], steps: [] });
        expect(world.running && world.ready).toBe(true);
        if (world.size !== undefined) expect(world.size.cpus).toBe(target.resources.cpus);
      }),
    );
  });

  test('a project plans each of its sandboxes, and only those asked for', () => {
    const project = {
      name: 'p',
      dir: '/project',
      files: [],
      sandboxes: [spec({ name: 'a' }), spec({ name: 'b' })],
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
