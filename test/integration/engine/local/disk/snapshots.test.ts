/** Named states of a disk. The disks are plain files here: that a VM boots from one is an e2e test. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dropUnfinished, snapshots } from '../../../../../lib/engine/local/disk/snapshots.ts';
import { type Home, homeOf, type InstancePaths, instancePaths } from '../../../../../lib/paths.ts';
import { spec } from '../../../../unit/plan/spec.ts';

const ID = 'shop-1';
let home: Home;
let paths: InstancePaths;
let state: { running: boolean; power: 'on' | 'off'; image: string; apt: string[] };

beforeEach(() => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-snap-')) });
  paths = instancePaths(home, ID);
  mkdirSync(paths.dir, { recursive: true });
  writeFileSync(paths.disk, 'one');
  state = { running: false, power: 'off', image: 'k', apt: [] };
});
afterEach(() => rmSync(home.root, { recursive: true }));

function ask(action: 'create' | 'ls' | 'restore' | 'rm', label?: string) {
  const packages = { ...spec().packages, apt: state.apt };
  const record = { name: 'shop', image: { key: state.image }, applied: { packages }, desired: { power: state.power } };
  const deps = {
    home,
    records: { require: () => record },
    driver: { find: () => (state.running ? {} : undefined) },
  };
  return snapshots(deps as never, ID, { action, label });
}

const disk = () => readFileSync(paths.disk, 'utf8');

test('the disk is that of the snapshot again, and the snapshot can be restored once more', async () => {
  writeFileSync(paths.clone, 'early');
  await ask('create', 'a');
  for (const text of ['two', 'three']) {
    writeFileSync(paths.disk, text);
    writeFileSync(paths.clone, text);
    expect(await ask('restore', 'a')).toMatchObject([{ label: 'a', fits: true }]);
    expect([disk(), readFileSync(paths.clone, 'utf8')]).toEqual(['one', 'early']);
  }
  expect(await ask('rm', 'a')).toEqual([]);
  await expect(ask('restore', 'a')).rejects.toMatchObject({ code: 'not-found' });
});

describe('is refused', () => {
  test.each(['create', 'restore'] as const)('%s while it runs, or may be started at any time', async (action) => {
    await ask('create', 'a');
    state.running = true;
    await expect(ask(action, 'a')).rejects.toMatchObject({ code: 'busy' });
    Object.assign(state, { running: false, power: 'on' });
    await expect(ask(action, 'a')).rejects.toMatchObject({ code: 'busy' });
  });

  test.each([{ image: 'other' }, { apt: ['jq'] }])(
    'a restore below %j: an overlay has only differences',
    async (change) => {
      await ask('create', 'a');
      writeFileSync(paths.disk, 'two');
      Object.assign(state, change);
      expect(await ask('ls')).toMatchObject([{ label: 'a', fits: false }]);
      await expect(ask('restore', 'a')).rejects.toMatchObject({ code: 'usage' });
      expect(disk()).toBe('two');
    },
  );

  test.each(['', '.new', '../x', 'a/b', 'A', '-a', 'x'.repeat(41)])('the label "%s"', async (label) => {
    await expect(ask('create', label)).rejects.toMatchObject({ code: 'usage' });
    await expect(ask('rm', label)).rejects.toMatchObject({ code: 'not-found' });
    expect(existsSync(paths.snapshots)).toBe(false);
  });

  test('a label that is taken', async () => {
    await ask('create', 'a');
    await expect(ask('create', 'a')).rejects.toMatchObject({ code: 'usage' });
  });
});

test('what a killed daemon left is removed, and was never listed', async () => {
  mkdirSync(join(paths.snapshots, '.new'), { recursive: true });
  writeFileSync(join(paths.snapshots, '.new/disk.qcow2'), 'half');
  writeFileSync(`${paths.disk}.new`, 'half');
  dropUnfinished(paths);
  expect([readdirSync(paths.snapshots), existsSync(`${paths.disk}.new`), disk()]).toEqual([[], false, 'one']);
  expect(await ask('ls')).toEqual([]);
});
