/** Folders of the host that answer no call, as those of a file system whose program has ended. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { HostTree } from '../../../../lib/workspace/facts/host-tree.ts';
import { errnoError } from '../../../../lib/workspace/server/sys/errno.ts';
import { openVolume } from '../../../../lib/workspace/server/tables/volume.ts';

const ENOTCONN = 107;
const broken = vi.hoisted(() => ({ isOn: false }));

vi.mock('../../../../lib/workspace/server/sys/files.ts', async (original) => {
  const real = await original<typeof import('../../../../lib/workspace/server/sys/files.ts')>();
  const statFd = (fd: number) => {
    if (broken.isOn) throw errnoError(ENOTCONN);
    return real.statFd(fd);
  };
  return { ...real, statFd };
});

test('a folder that has no attributes is none', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-tree-'));
  mkdirSync(join(dir, 'dead'));
  using volume = openVolume([{ name: 'ws', path: dir }]);
  const tree = new HostTree(volume.roots[0]?.fd ?? -1, dir);
  expect(tree.inFolder('dead', () => 'seen')).toBe('seen');
  broken.isOn = true;
  expect(tree.inFolder('dead', () => 'seen')).toBeUndefined();
  broken.isOn = false;
  rmSync(dir, { recursive: true });
});
