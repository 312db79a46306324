/** Added packages: the disk stays, a failure leaves the applied spec, and the next apply tries again. */
import { expect, test, vi } from 'vitest';
import { SbxError } from '../../../lib/errors.ts';
import { Supervisor } from '../../../lib/reconcile/supervisor.ts';
import { spec, want } from '../plan/spec.ts';
import { TestEngine } from './test-engine.ts';

const MORE = spec({ packages: { apt: ['jq'], npm: [], pip: [], setup: [] } });

test('a failed installation keeps the sandbox and what is applied; the next apply installs; then nothing is left', async () => {
  let fails = true;
  const engine = new TestEngine({
    work({ action }) {
      if (action === 'install' && fails) throw new SbxError('install-failed', 'no such package');
    },
  });
  const supervisor = new Supervisor({ engine, concurrency: 1, attempts: 3 });
  await supervisor.converge('shop', want(spec()));
  engine.done.splice(0);
  await expect(supervisor.converge('shop', want(MORE))).rejects.toMatchObject({
    code: 'install-failed',
    step: { action: 'install' },
  });
  expect(engine.done).toEqual([]);
  expect(engine.world.get('shop')).toMatchObject({ running: true, applied: { packages: { apt: [] } } });
  expect(supervisor.lastError('shop')).toMatchObject({ code: 'install-failed' });
  fails = false;
  await supervisor.converge('shop', want(MORE));
  await supervisor.converge('shop', want(MORE));
  expect(engine.done).toEqual(['install shop', 'record shop']);
  await supervisor.stop();
});

test('a part that was installed before the failure is not taken back by a new disk, whatever the guest does then', async () => {
  const engine = new TestEngine({
    work({ action }, { id }) {
      const now = engine.world.get(id);
      if (action !== 'install' || now === undefined) return;
      // As the local engine records a line of setup that ran.
      engine.world.set(id, {
        ...now,
        applied: { ...spec(), packages: { apt: ['jq'], npm: [], pip: [], setup: ['one'] } },
      });
      throw new SbxError('install-failed', 'the second line failed');
    },
  });
  const supervisor = new Supervisor({ engine, concurrency: 1, attempts: 3 });
  await supervisor.converge('shop', want(spec()));
  const disk = engine.world.get('shop')?.generation;
  const otherwise = () => want(spec());
  await expect(supervisor.converge('shop', want(MORE), { otherwise })).rejects.toMatchObject({
    code: 'install-failed',
  });
  engine.done.splice(0);
  engine.observed.splice(0);
  supervisor.notify('shop');
  await vi.waitFor(() => expect(engine.observed.length).toBeGreaterThan(0), 20_000);
  await vi.waitFor(() => expect(supervisor.busy('shop')).toBe(false), 20_000);
  expect(engine.done).not.toContain('create shop');
  expect(engine.world.get('shop')).toMatchObject({ running: true, generation: disk });
  await supervisor.stop();
});
