import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cpio } from '../../../lib/image/platform/cpio.ts';
import type { WarmImage } from '../../../lib/image/warm/warm-image.ts';
import { homeOf, instancePaths } from '../../../lib/paths.ts';
import { Records } from '../../../lib/state/records.ts';
import { bootSupervised } from '../../../lib/vm/boot-supervisor.ts';
import type { BootOptions, VmConfig, VmPaths } from '../../../lib/vm/driver.ts';
import { probeGuestRuns } from '../../../lib/vm/qemu/accel.ts';
import { createQemuDriver } from '../../../lib/vm/qemu/driver.ts';
import { HOME, must, type Project, processesWith, project, SMALL, statusOf } from '../harness.ts';

/** Answers HELLO by sending back what comes; or hangs, as a kernel does that fails to calibrate its clock. */
const ECHO_INIT = `#!/bin/busybox sh
bb=/bin/busybox
$bb mkdir -p /proc /sys /dev /mnt
$bb mount -t proc proc /proc
$bb grep -q sbx.hang /proc/cmdline && while :; do $bb sleep 1000; done
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev
while ! $bb mount -t ext4 -o ro,noload /dev/vda /mnt 2>/dev/null; do for m in /modules/*; do $bb insmod $m 2>/dev/null; done; done
$bb insmod $($bb find /mnt/modules -name virtio_console.ko)
port() { for p in /sys/class/virtio-ports/*; do [ "$($bb cat $p/name 2>/dev/null)" = sbx.agent ] && echo /dev/$($bb basename $p); done; }
while [ -z "$(port)" ]; do $bb sleep 0.1; done
exec 3<>$(port)
while :; do $bb cat <&3 >&3; $bb sleep 0.1; done
`;

/** 100 in a row: `npm run soak` */
const BOOTS = Number(process.env['SBX_TEST_BOOTS'] ?? '15');

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
    const home = homeOf({ SBX_HOME: dir });
    const driver = createQemuDriver({ probeCache: join(dir, 'probes.json') });
    // What a failed test left running.
    for (const name of readdirSync(home.instances)) await driver.destroy(instancePaths(home, name));
    await p?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The smallest machine that boots the image's kernel. */
  const vmConfigOf = (change: Partial<VmConfig> = {}): VmConfig => ({
    cpus: 1,
    memoryBytes: 256 * 1024 ** 2,
    kernel: image.kernel,
    initrd: image.initrd,
    cmdline: '',
    disks: [],
    ...change,
  });

  /** Folders of a machine, with an empty disk. */
  const placeFor = (name: string) => {
    const paths = instancePaths(homeOf({ SBX_HOME: dir }), name);
    mkdirSync(paths.dir, { recursive: true });
    writeFileSync(paths.disk, Buffer.alloc(1024 * 1024));
    return { paths, places: paths };
  };

  test('the probe guest runs under emulation, and an accelerator without its answer is rejected', async () => {
    expect(await probeGuestRuns('/usr/bin/qemu-system-x86_64', 'tcg')).toBe(true);
    expect(await probeGuestRuns('/bin/false', 'tcg')).toBe(false);
  });

  test('a guest that never answers is booted twice, ended, and reported with its console', async () => {
    const { paths, places } = placeFor('hang');
    const driver = createQemuDriver({ probeCache: join(dir, 'probes.json') });
    let boots = 0;
    const counted = {
      ...driver,
      boot: (...args: Parameters<typeof driver.boot>) => driver.boot(...args).finally(() => (boots += 1)),
    };
    const disks = [{ serial: 'none', path: paths.disk, format: 'raw' as const, readonly: false, backing: [] }];
    const shape = vmConfigOf({ cmdline: 'loglevel=7', disks });
    const failing = bootSupervised(counted, shape, places, { deadlineMs: 20_000, attempts: 2 });
    await expect(failing).rejects.toMatchObject({ code: 'vm-boot-failed', why: expect.stringContaining('virtio') });
    expect(boots).toBe(2);
    expect(processesWith(`sbx-vm:${paths.dir}`)).toEqual([]);
  });

  test('all of many boots on a busy host succeed, although every tenth hangs at first', async () => {
    const initrd = join(dir, 'initrd');
    const init = { path: 'init', mode: 0o755, type: 'file' as const, content: Buffer.from(ECHO_INIT) };
    // A later archive's files replace those of an earlier one.
    writeFileSync(initrd, Buffer.concat([readFileSync(image.initrd), cpio([init])]));
    const driver = createQemuDriver({ probeCache: join(dir, 'probes.json') });
    let boots = 0;
    const bootOne = async (index: number) => {
      const paths = instancePaths(homeOf({ SBX_HOME: dir }), `tiny${index}`);
      const places = paths;
      mkdirSync(paths.dir, { recursive: true });
      const hanging = index % 10 === 0;
      let tries = 0;
      const sometimes = {
        ...driver,
        boot: (shape: VmConfig, ...rest: [VmPaths, BootOptions]) => {
          boots += 1;
          tries += 1;
          return driver.boot({ ...shape, cmdline: hanging && tries === 1 ? 'sbx.hang' : '' }, ...rest);
        },
      };
      const shape = vmConfigOf({ initrd, disks: [image.runtimeDisk] });
      const deadlineMs = hanging ? 45_000 : 180_000;
      const { guest } = await bootSupervised(sometimes, shape, places, { deadlineMs, attempts: 3 });
      await guest[Symbol.asyncDispose]();
      await driver.destroy(places);
      rmSync(paths.dir, { recursive: true });
    };
    const waiting = Array.from({ length: BOOTS }, (_, index) => index);
    let came = 0;
    // Four at a time on two cores: every boot is one on a busy host.
    const worker = async () => {
      for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
        await bootOne(index);
        came += 1;
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    expect(came).toBe(BOOTS);
    expect(boots).toBeGreaterThanOrEqual(BOOTS + BOOTS / 10);
    expect(processesWith(`sbx-vm:${dir}`)).toEqual([]);
  }, 1_800_000);

  test('a missing QEMU, a missing jail and a snapshot of another memory size give clear errors', async () => {
    const { paths, places } = placeFor('missing');
    const shape = vmConfigOf();
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
