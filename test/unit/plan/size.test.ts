/** Changes of cpus, memory and disk: the sandbox keeps its disk. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explainChange } from '../../../lib/plan/explain.ts';
import { planSandbox } from '../../../lib/plan/plan.ts';
import type { ObservedSandbox } from '../../../lib/plan/types.ts';
import type { SandboxSpec } from '../../../lib/spec/spec.ts';
import { TestEngine } from '../reconcile/test-engine.ts';
import { actions, apply, reconcile, running, spec, want } from './spec.ts';

const GIB = 2 ** 30;

const sized = (change: Partial<SandboxSpec['resources']>, rest: Partial<SandboxSpec> = {}) =>
  spec({ resources: { ...spec().resources, ...change }, ...rest });
const stopped: Partial<ObservedSandbox> = { running: false, ready: false, power: 'off' };

describe('the steps of', () => {
  test.each<[string, SandboxSpec, Partial<ObservedSandbox>, string[]]>([
    ['other cpus', sized({ cpus: 1 }), {}, ['stop', 'start', 'record']],
    ['another memory', sized({ memoryBytes: GIB }), {}, ['stop', 'start', 'record']],
    ['a larger disk', sized({ diskBytes: 40 * GIB }), {}, ['grow', 'record']],
    [
      'a larger disk with another memory',
      sized({ diskBytes: 40 * GIB, memoryBytes: GIB }),
      {},
      ['stop', 'start', 'record'],
    ],
    ['other cpus of a stopped sandbox', sized({ cpus: 1 }), stopped, ['start', 'record']],
    ['a larger disk of a stopped sandbox', sized({ diskBytes: 40 * GIB }), stopped, ['start', 'record']],
    [
      'a larger disk of one that does not answer',
      sized({ diskBytes: 40 * GIB }),
      { ready: false },
      ['stop', 'start', 'record'],
    ],
    [
      'other cpus with other packages',
      sized({ cpus: 1 }, { packages: { ...spec().packages, apt: ['jq'] } }),
      {},
      ['stop', 'start', 'install', 'record'],
    ],
  ])('%s', (_what, next, now, steps) => {
    expect(actions(planSandbox(want(next), running(spec(), now), apply).steps)).toEqual(steps);
  });

  test('a sandbox that is off: none, until it is on', () => {
    const desired = want(sized({ cpus: 1, diskBytes: 40 * GIB }), { power: 'off' });
    expect(planSandbox(desired, running(spec(), stopped), reconcile).steps).toEqual([]);
  });
});

describe('explanations', () => {
  const lines = (next: SandboxSpec) =>
    planSandbox(want(next), running(spec()), apply).changes.map((one) => explainChange(one));

  test.each<[string, SandboxSpec, string]>([
    [
      'memory',
      sized({ memoryBytes: GIB }),
      'shop: resources.memory: 2 GiB → 1 GiB → restarts the sandbox on its own disk',
    ],
    ['cpus', sized({ cpus: 1 }), 'shop: resources.cpus: 2 → 1 → restarts the sandbox on its own disk'],
    [
      'a larger disk',
      sized({ diskBytes: 40.5 * GIB }),
      'shop: resources.disk: 20 GiB → 40.5 GiB → grows in place, with its file system',
    ],
    [
      'a smaller disk',
      sized({ diskBytes: 2e9 }),
      'shop: resources.disk: 20 GiB → 2 GB → rebuilds the sandbox: everything on its own disk is lost',
    ],
    [
      'idle',
      spec({ lifecycle: { restart: 'on-failure', idleSeconds: 5400, pool: 0 } }),
      'shop: lifecycle.idle: 0 → 1h30m → takes effect at once',
    ],
    [
      'bandwidth',
      spec({ network: { ...spec().network, bandwidth: 10 * 2 ** 20 } }),
      'shop: network.bandwidth: nothing → 10 MiB/s → takes effect at once',
    ],
  ])('of %s', (_what, next, line) => expect(lines(next)).toEqual([line]));
});

describe('after an apply that was killed between start and record', () => {
  const half = running(spec(), { size: { cpus: 2, memoryBytes: GIB } });

  test('the file put back restarts the VM with its own size', () => {
    const { steps, changes } = planSandbox(want(spec()), half, apply);
    expect(actions(steps)).toEqual(['stop', 'start']);
    expect(changes.map((one) => explainChange(one))).toEqual([
      'shop: resources: 2 cpus, 1 GiB → 2 cpus, 2 GiB → restarts the sandbox on its own disk',
    ]);
  });

  test('in the background nothing is restarted', () => {
    expect(planSandbox(want(spec()), half, reconcile).steps).toEqual([]);
  });
});

const anySize = fc.record({
  cpus: fc.constantFrom(1, 2),
  memoryBytes: fc.constantFrom(GIB, 2 * GIB),
  diskBytes: fc.constantFrom(20 * GIB, 40 * GIB, 60 * GIB),
});

test('killed after any step, with the file changed and put back, the disk is never replaced and never smaller', async () => {
  const anyRound = fc.record({ size: anySize, kill: fc.nat(3), stop: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(anyRound, { minLength: 1, maxLength: 4 }), anySize, async (rounds, last) => {
      const engine = new TestEngine();
      const run = async (next: SandboxSpec, most: number) => {
        const { steps } = planSandbox(want(next), await engine.observe('shop'), apply);
        const context = { id: 'shop', signal: new AbortController().signal, onProgress: () => {}, onLine: () => {} };
        for (const step of steps.slice(0, most)) await engine.run(step, context);
      };
      await run(spec(), 3);
      engine.done.splice(0);
      const largest = () =>
        Math.max(engine.disks.get('shop') ?? 0, engine.world.get('shop')?.applied?.resources.diskBytes ?? 0);
      const notSmaller = (size: SandboxSpec['resources']) =>
        spec({
          resources: {
            ...size,
            diskBytes: Math.max(size.diskBytes, engine.world.get('shop')?.applied?.resources.diskBytes ?? 0),
          },
        });
      for (const { size, kill, stop } of rounds) {
        const before = largest();
        await run(notSmaller(size), kill);
        if (stop) engine.crash('shop');
        expect(engine.disks.get('shop')).toBeGreaterThanOrEqual(before);
      }
      const end = notSmaller(last);
      await run(end, 9);
      expect((await engine.observe('shop')).size).toEqual({ cpus: last.cpus, memoryBytes: last.memoryBytes });
      expect(engine.disks.get('shop')).toBeGreaterThanOrEqual(end.resources.diskBytes);
      expect(planSandbox(want(end), await engine.observe('shop'), apply)).toEqual({ changes: [], steps: [] });
      expect(engine.done.filter((one) => /^(create|destroy)/.test(one))).toEqual([]);
    }),
  );
});
