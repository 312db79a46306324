/** What `sbx doctor` says of hardware virtualisation: what the probe of each start found, with doubles of QEMU. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { accelerator } from '../../../../lib/cli/doctor/isolation.ts';
import { probeQemu } from '../../../../lib/vm/qemu/accel.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-accel-'));
  writeFileSync(join(dir, 'cpuinfo'), 'flags\t\t: fpu svm sse\n');
  writeFileSync(join(dir, 'boot'), 'this boot\n');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** `guest`: how its probe guest ends. */
function doctorWith(guest: string) {
  const qemu = join(dir, 'qemu');
  writeFileSync(qemu, `#!/bin/sh\nif [ "$1" = --version ]; then echo "version 7.2.1"; exit; fi\n${guest}\n`);
  chmodSync(qemu, 0o755);
  const host = { kvm: '/dev/null', cpuinfo: join(dir, 'cpuinfo'), bootId: join(dir, 'boot') };
  const probes = join(dir, 'probes.json');
  return accelerator({ probes }, () => probeQemu(qemu, probes, host));
}

test('a guest ran on KVM: ok', async () => {
  expect(await doctorWith('exit 85')).toMatchObject({ status: 'ok', message: 'a probe guest ran on /dev/kvm' });
});

test('there is a KVM, and no guest runs on it: a warning, though device and processor look right', async () => {
  expect(await doctorWith('exit 1')).toMatchObject({
    status: 'warning',
    message: 'a probe guest did not run on /dev/kvm: VMs are emulated, which works but is slower',
  });
});

test('QEMU is missing: a warning beside the check of the program', async () => {
  const probe = () => probeQemu(join(dir, 'none'), join(dir, 'probes.json'));
  expect(await accelerator({ probes: '' }, probe)).toMatchObject({
    status: 'warning',
    message: expect.stringMatching(/^QEMU could not be asked: .*none/),
  });
});
