/** A clone's disk is not removed unasked: what cannot be counted counts as lost. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { removeIn, resetIn, stopIn } from '../../../../lib/daemon/lifecycle/lifecycle.ts';
import { instancePaths } from '../../../../lib/paths.ts';
import { writeCloneRecord } from '../../../../lib/workspace/clone/record.ts';
import { CONTEXT, ID, type Rig, rig } from '../control/rig.ts';

async function withClone(shop: Rig): Promise<void> {
  const file = instancePaths(shop.control.home, ID).clone;
  mkdirSync(dirname(file), { recursive: true });
  await writeCloneRecord(file, { version: 1, path: '/p', hide: [], top: '/p', tips: [], head: '', fetched: [] });
}

describe('a sandbox with a clone', () => {
  test.each([
    ['rm', removeIn],
    ['reset', resetIn],
  ])('that is stopped: %s needs --discard', async (_, verb) => {
    await using shop = await rig();
    await stopIn(shop.control, ID, CONTEXT);
    await withClone(shop);
    await expect(verb(shop.control, ID, { ...CONTEXT, confirmed: true })).rejects.toMatchObject({
      code: 'needs-confirmation',
    });
    expect(shop.engine.done).toEqual([`stop ${ID}`]);
    expect(shop.records.require(ID).desired).toMatchObject({ exists: true });
    await verb(shop.control, ID, { ...CONTEXT, confirmed: true, discard: true });
    expect(shop.engine.done.length).toBeGreaterThan(1);
  });

  test('whose guest does not answer is kept', async () => {
    await using shop = await rig();
    await withClone(shop);
    await expect(removeIn(shop.control, ID, { ...CONTEXT, confirmed: true })).rejects.toMatchObject({
      code: 'needs-confirmation',
    });
    expect(shop.engine.done).toEqual([]);
  });
});
