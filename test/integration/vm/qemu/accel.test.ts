/** Whether hardware is believed: a double of QEMU that hangs, fails or works on KVM, and counts how often it is asked. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { probeQemu } from '../../../../lib/vm/qemu/accel.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-a-'));
  writeFileSync(join(dir, 'cpuinfo'), 'flags\t\t: fpu svm sse\n');
  writeFileSync(join(dir, 'boot'), 'this boot\n');
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** `probe`: what it does with a guest, as shell. */
function qemu(probe: string): string {
  const file = join(dir, 'qemu');
  writeFileSync(
    file,
    `#!/bin/sh\nif [ "$1" = --version ]; then echo "QEMU emulator version 7.2.1"; exit; fi\necho probed >>${dir}/asked\n${probe}\n`,
  );
  chmodSync(file, 0o755);
  return file;
}

const host = (kvm = '/dev/null') => ({ kvm, cpuinfo: join(dir, 'cpuinfo'), bootId: join(dir, 'boot') });
const asked = () => readFileSync(join(dir, 'asked'), 'utf8').trim().split('\n').length;
const cache = () => join(dir, 'probes.json');

test('a KVM on which the probe guest hangs is not believed, and not asked again in this boot', async () => {
  const binary = qemu('case "$*" in *"-accel tcg"*) exit 85;; esac; exec sleep 1000');
  const first = await probeQemu(binary, cache(), host());
  expect(first).toMatchObject({
    facts: { accel: 'tcg', version: '7.2.1' },
    reason: expect.stringMatching(/probe guest/),
  });
  expect(await probeQemu(binary, cache(), host())).toEqual(first);
  // Once on KVM, and once under emulation to see how fast this host is.
  expect(asked()).toBe(2);
});

test('a host on which the emulated guest is slow as well gets more time, and its KVM is believed', async () => {
  const slow = qemu('case "$*" in *"-accel tcg"*) sleep 2;; *) sleep 5;; esac; exit 85');
  expect((await probeQemu(slow, cache(), host())).facts.accel).toBe('kvm');
  expect(asked()).toBe(3);
});

test('one on which it runs is kept; another boot of the host, or another QEMU, is probed again', async () => {
  expect((await probeQemu(qemu('exit 85'), cache(), host())).facts.accel).toBe('kvm');
  writeFileSync(join(dir, 'boot'), 'the next boot\n');
  expect((await probeQemu(qemu('exit 85'), cache(), host())).facts.accel).toBe('kvm');
  expect(asked()).toBe(2);
  expect((await probeQemu(qemu('exit 1 # another'), cache(), host())).facts.accel).toBe('tcg');
  expect(asked()).toBe(3);
});

test('where there is none, no guest is tried', async () => {
  writeFileSync(join(dir, 'asked'), '');
  expect((await probeQemu(qemu('exit 85'), cache(), host(join(dir, 'no-kvm')))).facts.accel).toBe('tcg');
  writeFileSync(join(dir, 'cpuinfo'), 'flags\t\t: fpu sse\n');
  expect((await probeQemu(qemu('exit 85; #'), join(dir, 'other.json'), host())).facts.accel).toBe('tcg');
  expect(readFileSync(join(dir, 'asked'), 'utf8')).toBe('');
});

test('an invalid cache is written again', async () => {
  writeFileSync(cache(), '{');
  expect((await probeQemu(qemu('exit 85'), cache(), host())).facts.accel).toBe('kvm');
});
