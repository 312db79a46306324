/** Checks that the host can jail a VM, build its image as an ordinary user, and run it with hardware virtualisation. */
import { existsSync, readFileSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { SbxError, summaryOf } from '../../errors.ts';
import type { Home } from '../../paths.ts';
import { type AccelReport, probeQemu, qemuBinary } from '../../vm/qemu/accel.ts';
import { probeJail } from '../../vm/qemu/process/jail-probe.ts';
import type { CheckResult } from './check-result.ts';

export async function userNamespaces(): Promise<CheckResult> {
  const name = 'user namespaces';
  try {
    await probeJail('bwrap');
    return { name, status: 'ok', message: 'bubblewrap can create a jail' };
  } catch (error) {
    return {
      name,
      status: 'failed',
      message: `bubblewrap cannot create a jail: ${(error instanceof SbxError ? error.why : undefined) ?? String(error)}`,
      fix: 'sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; in a container: allow user namespaces',
    };
  }
}

export function subordinateIds(): CheckResult {
  const name = 'subordinate ids';
  const { uid, username } = userInfo();
  if (uid === 0) return { name, status: 'ok', message: 'not needed by root' };
  const has = ['/etc/subuid', '/etc/subgid'].every(
    (file) =>
      existsSync(file) &&
      readFileSync(file, 'utf8')
        .split('\n')
        .some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`)),
  );
  return {
    name,
    status: has ? 'ok' : 'failed',
    message: has ? `${username} has a range` : `${username} has no range in /etc/subuid and /etc/subgid`,
    ...(has ? {} : { fix: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}` }),
  };
}

/** Asks what every start of a VM asks; `probe` is another one in tests. */
export async function accelerator(
  { probes }: Pick<Home, 'probes'>,
  probe: () => Promise<AccelReport> = () => probeQemu(qemuBinary(), probes),
): Promise<CheckResult> {
  const name = 'hardware virtualisation';
  try {
    const { facts, reason } = await probe();
    if (facts.accel === 'kvm') return { name, status: 'ok', message: reason };
    const message = `${reason}: VMs are emulated, which works but is slower`;
    return { name, status: 'warning', message, ...((await isUsable('/dev/kvm')) ? {} : { fix: fixOfKvm() }) };
  } catch (error) {
    return { name, status: 'warning', message: `QEMU could not be asked: ${summaryOf(error)}` };
  }
}

function isUsable(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

function fixOfKvm(): string {
  return `usermod --append --groups kvm ${userInfo().username}, if this machine has a /dev/kvm; then log in again`;
}
