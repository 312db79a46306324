import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { placesOf } from '../../lib/daemon/handlers.ts';
import { Records } from '../../lib/daemon/records.ts';
import type { WarmImage } from '../../lib/image/layers.ts';
import { homeOf, instancePaths } from '../../lib/paths.ts';
import { probeGuestRuns } from '../../lib/vm/qemu/accel.ts';
import { createQemuDriver } from '../../lib/vm/qemu/driver.ts';
import { bootSupervised } from '../../lib/vm/supervise.ts';
import { HOME, must, type Project, processesWith, project, SMALL, statusOf } from './harness.ts';

describe('boots that fail', () => {
  let p: Project;
  let image: WarmImage;
  let dir: string;

  beforeAll(async () => {
    p = project('boot', `version = 1\n${SMALL}`);
    await must(['apply', '--yes'], { cwd: p.dir });
    const found = new Records(homeOf({ SBX_HOME: HOME })).require((await statusOf(p.dir)).id).image;
    if (found === null) throw new Error('not applied');
    image = found;
    dir = mkdtempSync(join(tmpdir(), 'sbx-b-'));
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  test('the probe guest runs under emulation and is not believed without its answer', async () => {
    expect(await probeGuestRuns('/usr/bin/qemu-system-x86_64', 'tcg')).toBe(true);
    expect(await probeGuestRuns('/bin/false', 'tcg')).toBe(false);
  });

  test('a guest that never answers is tried again, ended, and reported with its console', async () => {
    const paths = instancePaths(homeOf({ SBX_HOME: dir }), 'hang');
    const places = placesOf(paths);
    mkdirSync(paths.dir, { recursive: true });
    writeFileSync(paths.disk, Buffer.alloc(1024 * 1024));
    const driver = createQemuDriver({ probeCache: join(dir, 'probes.json') });
    let boots = 0;
    const counted = {
      ...driver,
      boot: (...args: Parameters<typeof driver.boot>) => driver.boot(...args).finally(() => (boots += 1)),
    };
    const shape = {
      cpus: 1,
      memoryBytes: 256 * 1024 ** 2,
      kernel: image.kernel,
      initrd: image.initrd,
      cmdline: 'loglevel=7',
      disks: [{ serial: 'none', path: paths.disk, format: 'raw' as const, readonly: false, backing: [] }],
      mounts: [],
    };
    const failing = bootSupervised(counted, shape, places, { deadlineMs: 9_000, attempts: 2 });
    await expect(failing).rejects.toMatchObject({ code: 'vm-boot-failed', why: expect.stringContaining('virtio') });
    expect(boots).toBe(2);
    expect(processesWith(`sbx-vm:${paths.dir}`)).toEqual([]);
  });

  test('a missing QEMU, a missing jail and a snapshot of another shape are clear errors', async () => {
    const paths = instancePaths(homeOf({ SBX_HOME: dir }), 'missing');
    const places = placesOf(paths);
    mkdirSync(paths.dir, { recursive: true });
    writeFileSync(paths.disk, Buffer.alloc(1024 * 1024));
    const shape = {
      cpus: 1,
      memoryBytes: 256 * 1024 ** 2,
      kernel: image.kernel,
      initrd: image.initrd,
      cmdline: '',
      disks: [],
      mounts: [],
    };
    const probeCache = join(dir, 'probes.json');
    await expect(
      createQemuDriver({ probeCache: join(dir, 'p2'), binary: '/nonexistent/qemu' }).boot(shape, places, {}),
    ).rejects.toMatchObject({ code: 'tool-missing' });
    await expect(
      createQemuDriver({ probeCache, bwrap: '/nonexistent/bwrap' }).boot(shape, places, {}),
    ).rejects.toMatchObject({ code: 'tool-missing' });
    await expect(
      createQemuDriver({ probeCache }).restore({ ...shape, memoryBytes: 300 * 1024 ** 2 }, image.warm, places),
    ).rejects.toMatchObject({ code: 'vm-restore-failed' });
    expect(processesWith(`sbx-vm:${paths.dir}`)).toEqual([]);
  });
});
