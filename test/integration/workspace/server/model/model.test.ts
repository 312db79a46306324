import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Rig } from '../rig.ts';
import { Model } from './model.ts';
import { action, Guest, modelTree, outcome, readTree, runModel } from './model-guest.ts';

it('behaves as a file system in memory does, call by call', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 80, size: 'max' }), async (actions) => {
      const folder = mkdtempSync(join(tmpdir(), 'sbx-model-'));
      await using rig = await Rig.mount(folder, { limits: { directoryFds: 8 } });
      const model = new Model();
      const guest = new Guest(rig, model);
      try {
        for (const one of actions) {
          const found = await outcome(() => guest.run(one));
          expect(found, JSON.stringify(one)).toEqual(await outcome(() => runModel(model, one)));
          await guest.check();
        }
        expect(readTree(folder)).toEqual(modelTree(model.root));
        expect(rig.errors).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 250 },
  );
}, 120_000);
