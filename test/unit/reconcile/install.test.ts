/** Added packages: the disk stays, a failure leaves the applied spec, and the next apply tries again. */
import { expect, test } from 'vitest';
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
