/** Changes that only a sandbox has are not removed by an apply unasked; what can be made again is. */
import { describe, expect, test } from 'vitest';
import { removeIn, resetIn } from '../../../../lib/daemon/lifecycle/lifecycle.ts';
import { privateFiles } from '../../../../lib/daemon/work/private-work.ts';
import type { PrivateWork } from '../../../../lib/workspace/changes/private-work.ts';
import { CONTEXT, ID, type Rig, rig } from '../control/rig.ts';

const change = (path: string, more: Partial<PrivateWork['changes'][number]> = {}) => ({
  ...{ path, kind: 'file' as const, size: 1, files: 1, isOwn: false },
  ...more,
});

async function lossWith(shop: Rig, changes: PrivateWork['changes'], isPartial = false) {
  Object.assign(shop.engine, { privateWork: async () => ({ changes, isPartial }) });
  return privateFiles(shop.control, shop.records.require(ID));
}

describe('the private work of a sandbox', () => {
  test('is counted with a name; removed files and private folders of the file are not', async () => {
    await using shop = await rig();
    const git = change('.git', { kind: 'folder', files: 7 });
    expect(await lossWith(shop, [change('.envrc'), git])).toBe('private files: 8 (.envrc, …)');
    expect(await lossWith(shop, [change('hooks', { kind: 'removed' }), change('node_modules', { isOwn: true })])).toBe(
      undefined,
    );
  });

  test('that could not all be read counts as lost', async () => {
    await using shop = await rig();
    expect(await lossWith(shop, [], true)).toBe('private files that could not all be read');
    expect(await lossWith(shop, [change('.envrc')], true)).toBe('private files: more than 1 (.envrc)');
  });

  test.each([
    ['reset', resetIn],
    ['rm', removeIn],
  ])('is not removed by %s with --yes alone', async (_verb, ask) => {
    await using shop = await rig();
    await lossWith(shop, [change('.envrc')]);
    await expect(ask(shop.control, ID, { ...CONTEXT, confirmed: true })).rejects.toMatchObject({
      code: 'needs-confirmation',
      exitCode: 4,
      why: 'shop: loses private files: 1 (.envrc)',
      hint: expect.stringMatching(/add --discard$/),
    });
    expect(shop.engine.done).toEqual([]);
    await expect(ask(shop.control, ID, { ...CONTEXT, discard: true })).rejects.toMatchObject({
      why: 'shop: everything on its own disk is lost',
      hint: 'add --yes',
    });
    await ask(shop.control, ID, { ...CONTEXT, confirmed: true, discard: true });
    expect(shop.engine.done).not.toEqual([]);
  });
});
