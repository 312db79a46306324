/** The daemon does not end under clients that work through it before the user has agreed. */
import { EventEmitter, once } from 'node:events';
import { expect, test } from 'vitest';
import { refuseCutOff } from '../../../../lib/daemon/lifecycle/end-daemon.ts';
import { ID, type Rig, rig } from '../control/rig.ts';

const AT = new Date(2026, 10, 28, 9, 5).toISOString();

test('an unused one ends', async () => {
  await using shop = await rig();
  await refuseCutOff(shop.control, {});
});

test.each<[string, (shop: Rig) => Disposable, string]>([
  [
    'a command',
    ({ control }) => control.activity.work(ID, AT),
    'shop: a command, shell or copy since 2026-11-28 09:05',
  ],
  [
    'an attached client',
    ({ control }) => control.activity.attach(ID, AT),
    'shop: a session of the agent since 2026-11-28 09:05',
  ],
])('%s is named, and protected until it is done or the user has agreed', async (_what, use, words) => {
  await using shop = await rig();
  const used = use(shop);
  await expect(refuseCutOff(shop.control, {})).rejects.toMatchObject({
    code: 'needs-confirmation',
    exitCode: 4,
    why: `its end would cut off ${words}`,
    hint: expect.stringContaining('sbx daemon stop --yes'),
  });
  await refuseCutOff(shop.control, { confirmed: true });
  used[Symbol.dispose]();
  await refuseCutOff(shop.control, {});
});

test('so is an apply that is under way', async () => {
  await using shop = await rig();
  const finish = new EventEmitter();
  const applied = shop.control.mutex.take('/project', () => once(finish, 'done'));
  await expect(refuseCutOff(shop.control, {})).rejects.toMatchObject({ why: expect.stringContaining('/project') });
  finish.emit('done');
  await applied;
  await refuseCutOff(shop.control, {});
});
