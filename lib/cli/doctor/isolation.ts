/** Whether the host can jail a machine, build for one as an ordinary user, and run it on its own processor. */
import { existsSync, readFileSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { SbxError } from '../../errors.ts';
import { probeJail } from '../../vm/qemu/jail-probe.ts';
import type { CheckResult } from './check-result.ts';

export async function userNamespaces(): Promise<CheckResult> {
  const name = 'user namespaces';
  try {
    await probeJail('bwrap');
    return { name, status: 'ok', message: 'a jail can be made' };
  } catch (error) {
    return {
      name,
      status: 'failed',
      message: `no jail can be made: ${(error instanceof SbxError ? error.why : undefined) ?? String(error)}`,
      cure: 'sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; in a container: run it with user namespaces allowed',
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
    ...(has ? {} : { cure: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}` }),
  };
}

export async function accelerator(): Promise<CheckResult> {
  const name = 'hardware virtualisation';
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const seen = /^flags\s*:.*\b(vmx|svm)\b/m.test(flags);
  if (usable && seen) return { name, status: 'ok', message: '/dev/kvm is there; a probe guest decides' };
  const why = usable ? 'the processor shows no vmx or svm' : '/dev/kvm is not usable for this user';
  return {
    name,
    status: 'warning',
    message: `${why}: machines are emulated, which works but is slower`,
    ...(usable
      ? {}
      : {
          cure: `usermod --append --groups kvm ${userInfo().username}, if this machine has a /dev/kvm; then log in again`,
        }),
  };
}
