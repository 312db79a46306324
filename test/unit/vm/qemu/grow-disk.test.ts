import { describe, expect, test } from 'vitest';
import { growDisk, growDisks } from '../../../../lib/vm/qemu/grow-disk.ts';

/** A monitor with these answers (a test double: QEMU's own is in the e2e tests). */
function monitor(blocks: unknown) {
  const asked: unknown[] = [];
  const execute = async (command: string, args?: Record<string, unknown>) => {
    if (command === 'query-block') return blocks;
    asked.push({ command, ...args });
    return {};
  };
  return { execute, asked };
}

const disk = (device: string, size: unknown) => ({ device, inserted: { image: { 'virtual-size': size } } });

describe('a disk', () => {
  test.each([
    ['smaller than wanted grows', 20, [{ command: 'block_resize', device: 'disk0', size: 30 }]],
    ['of that size stays', 30, []],
    ['larger than wanted stays: it is never cut', 40, []],
  ])('%s', async (_what, now, done) => {
    const qmp = monitor([disk('mailbox', 1), disk('disk0', now)]);
    await growDisk(qmp, { index: 0, bytes: 30 });
    expect(qmp.asked).toEqual(done);
  });

  test.each<[string, unknown]>([
    ['no list', {}],
    ['nothing of that disk', [null, disk('disk1', 5)]],
    ['a size that is none', [disk('disk0', '5')]],
    ['a size below zero', [disk('disk0', -1)]],
    ['a size beyond reason', [disk('disk0', 1e300)]],
  ])('whose size the monitor does not say (%s) is not touched', async (_what, answer) => {
    const qmp = monitor(answer);
    await expect(growDisk(qmp, { index: 0, bytes: 30 })).rejects.toMatchObject({ code: 'qmp' });
    expect(qmp.asked).toEqual([]);
  });

  test('without a size of its own is left alone at boot', async () => {
    const qmp = monitor([disk('disk0', 20), disk('disk1', 20)]);
    const one = { serial: '', path: '', format: 'qcow2', readonly: false, backing: [] } as const;
    await growDisks(qmp, {
      disks: [
        { ...one, backing: [] },
        { ...one, backing: [], minBytes: 30 },
      ],
    });
    expect(qmp.asked).toEqual([{ command: 'block_resize', device: 'disk1', size: 30 }]);
  });
});
