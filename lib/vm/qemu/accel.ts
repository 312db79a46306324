/** Finds the accelerator that works: KVM is used only after a probe guest has run on it. */
import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { run, runToEnd } from '../../system/run-tool.ts';
import type { Accel } from '../driver.ts';
import { processorOf, tscKhzOf } from './cpuinfo.ts';
import { optionValue, type QemuFacts } from './process/args.ts';

/** A broken KVM hangs rather than fails. */
const PROBE_DEADLINE_MS = 4_000;
/** Of the same guest under emulation, by which a slow host is told from a broken KVM */
const EMULATED_DEADLINE_MS = 30_000;
const PROBE_EXIT = 85;

/** QEMU's own default is a part of the host's memory; a sandbox's working set of code fits into this */
const TRANSLATION_CACHE_MIB = 64;

interface Probed {
  bootId: string;
  binary: string;
  accel: Accel;
  version: string;
  reason: string;
}

export interface AccelReport {
  facts: QemuFacts;
  /** Why this accelerator, for `sbx doctor` */
  reason: string;
}

/** Files that describe the host; other ones in tests. */
const HOST = { kvm: '/dev/kvm', cpuinfo: '/proc/cpuinfo', bootId: '/proc/sys/kernel/random/boot_id' };

/** The program that runs VMs, unless a driver is made for another one. */
export function qemuBinary(): string {
  return process.env['SBX_QEMU'] ?? '/usr/bin/qemu-system-x86_64';
}

/** Facts about QEMU and this host, cached in `cacheFile` for one boot of the host and one binary. */
export async function probeQemu(binary: string, cacheFile: string, host = HOST): Promise<AccelReport> {
  const bootId = (await readFile(host.bootId, 'utf8')).trim();
  const stamp = await identityOf(binary);
  const cached = await readCache(cacheFile);
  const probed =
    cached?.bootId === bootId && cached.binary === stamp
      ? cached
      : { bootId, binary: stamp, ...(await probe(binary, host)) };
  if (probed !== cached) await writeFileAtomic(cacheFile, JSON.stringify(probed), { mode: 0o600 });
  const cpuinfo = await readFile(host.cpuinfo, 'utf8').catch(() => '');
  return {
    facts: {
      accel: probed.accel,
      version: probed.version,
      tscKhz: tscKhzOf(cpuinfo),
      processor: processorOf(cpuinfo),
      translationCacheMib: TRANSLATION_CACHE_MIB,
    },
    reason: probed.reason,
  };
}

async function identityOf(binary: string): Promise<string> {
  const { stat } = await import('node:fs/promises');
  const found = await stat(binary).catch(() => undefined);
  return found === undefined ? binary : `${binary}:${found.size}:${found.mtimeMs}`;
}

async function readCache(file: string): Promise<Probed | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Probed;
  } catch {
    return undefined;
  }
}

async function probe(binary: string, host: typeof HOST): Promise<{ accel: Accel; version: string; reason: string }> {
  const version = /version (\d+\.\d+(\.\d+)?)/.exec(await run(binary, ['--version']))?.[1] ?? '0.0';
  const verdict = await kvmVerdict(binary, host);
  return { version, accel: verdict === undefined ? 'kvm' : 'tcg', reason: verdict ?? 'a probe guest ran on /dev/kvm' };
}

/** Why KVM cannot be used, or undefined when a guest ran on it. */
async function kvmVerdict(binary: string, host: typeof HOST): Promise<string | undefined> {
  const usable = await access(host.kvm, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!usable) return '/dev/kvm is not there or not writable for this user';
  const flags = await readFile(host.cpuinfo, 'utf8').catch(() => '');
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(flags)) return 'the processor shows no virtualisation (vmx or svm)';
  return (await kvmRuns(binary)) ? undefined : 'a probe guest did not run on /dev/kvm';
}

async function kvmRuns(binary: string): Promise<boolean> {
  const from = performance.now();
  if (await probeGuestRuns(binary, 'kvm')) return true;
  if (performance.now() - from < PROBE_DEADLINE_MS) return false;
  // The verdict is kept until the host boots again. A busy host slows an emulated guest as well, by which the time for a second try is measured.
  const emulatedFrom = performance.now();
  if (!(await probeGuestRuns(binary, 'tcg', EMULATED_DEADLINE_MS))) return false;
  const deadlineMs = 4 * (performance.now() - emulatedFrom);
  return deadlineMs > PROBE_DEADLINE_MS && (await probeGuestRuns(binary, 'kvm', deadlineMs));
}

/** Boots a 512-byte guest that writes one byte to the debug-exit port. Exported for `sbx doctor` and its test under TCG. */
export async function probeGuestRuns(binary: string, accel: Accel, deadlineMs = PROBE_DEADLINE_MS): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'sbx-probe-'));
  try {
    const sector = Buffer.alloc(512);
    // mov al, 42; out 0xf4, al; hlt — QEMU exits with 42 * 2 + 1
    Buffer.from([0xb0, 0x2a, 0xe6, 0xf4, 0xf4]).copy(sector);
    sector.writeUInt16LE(0xaa55, 510);
    const disk = join(dir, 'probe.img');
    await writeFile(disk, sector);
    const args = [
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      '-M',
      'pc',
      '-accel',
      accel,
      '-m',
      '16M',
      '-drive',
      `file=${optionValue(disk)},format=raw,if=ide`,
      '-device',
      'isa-debug-exit,iobase=0xf4,iosize=4',
    ];
    const ended = await runToEnd(binary, args, { deadlineMs }).catch(() => undefined);
    return ended?.code === PROBE_EXIT;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
