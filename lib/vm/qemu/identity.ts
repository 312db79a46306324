/** Hashes what memory and device state of every VM depend on: part of a warm snapshot's key. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { VmConfig } from '../driver.ts';
import { buildQemuArgs, type QemuFacts } from './process/args.ts';

/** Any VM: its own sizes are in the key already */
const ANY: VmConfig = { cpus: 1, memoryBytes: 2 ** 30, kernel: '', initrd: '', cmdline: '', disks: [] };

/** QEMU itself, and every argument that it is given: the machine, the processor, the kernel's command line. */
export function identityOf(binary: string, facts: QemuFacts): string {
  const { size, mtimeMs } = statSync(binary);
  // A guest counts time by the rate that its kernel was told. A rate that is measured again at each boot of the host differs slightly.
  const tscKhz = facts.tscKhz === undefined ? undefined : Math.round(facts.tscKhz / 1000) * 1000;
  const args = buildQemuArgs({ config: ANY, facts: { ...facts, tscKhz }, ram: { kind: 'private' }, marker: '' });
  // A kernel and its programs choose their code by the features that they saw at boot; QEMU loads them onto any other processor.
  const processor = facts.accel === 'kvm' ? [facts.processor] : [];
  return createHash('sha256')
    .update(JSON.stringify([facts.accel, facts.version, size, mtimeMs, args, ...processor]))
    .digest('hex')
    .slice(0, 16);
}
