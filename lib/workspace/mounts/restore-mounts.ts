/** Puts mounts that a running jail has lost back into place, from outside: the jail itself has no right to mount. */
import type { JailMount } from '../../system/jail-mount.ts';
import { run } from '../../system/run-tool.ts';
import { checkMounts, type MountCheck, type MountFault } from './check-mounts.ts';

/**
 * Enters the user namespace that owns the jail's mounts, then those, and mounts there. Perl, because neither Node nor
 * `nsenter` can enter a namespace that no process lives in, keeping the rights in it; mmdebstrap needs Perl as well.
 */
const ENTER_AND_MOUNT = String.raw`
use strict;
my ($pid, @todo) = @ARGV;
my ($setns, $mount) = (POSIX::uname())[4] eq 'aarch64' ? (268, 40) : (308, 165);
my ($BIND, $REMOUNT, $LIMITS) = (0x1000, 0x20, 0x7);
open(my $mounts, '<', "/proc/$pid/ns/mnt") or die "mount namespace: $!\n";
my $owner = ioctl($mounts, 0xb701, 0) or die "owner: $!\n";
syscall($setns, $owner + 0, 0x10000000) == 0 or die "user namespace: $!\n";
syscall($setns, fileno($mounts), 0x20000) == 0 or die "enter: $!\n";
while (my ($source, $target, $readonly) = splice(@todo, 0, 3)) {
  my $none = 'none';
  if ($source eq '/dev/null' && -d $target) {
    my ($type, $options) = ('tmpfs', 'size=4k,mode=555');
    syscall($mount, $none, $target, $type, $LIMITS, $options) == 0 or die "$target: $!\n";
    next;
  }
  syscall($mount, $source, $target, $none, $BIND, 0) == 0 or die "$target: $!\n";
  $readonly or next;
  syscall($mount, $none, $target, $none, $BIND | $REMOUNT | $LIMITS, 0) == 0 or die "$target: $!\n";
}
`;

/** Returns the faults that remain: a VM with such faults must not continue. */
export async function restoreMounts(check: MountCheck): Promise<MountFault[]> {
  const lost = checkMounts(check).filter(({ what }) => what !== 'shows-something-else');
  const todo = lost.flatMap(({ mount }) => [sourceInJail(mount), mount.target, mount.readonly ? '1' : '']);
  if (todo.length > 0)
    await run('perl', ['-MPOSIX', '-e', ENTER_AND_MOUNT, String(check.pid), ...todo], { env: { LC_ALL: 'C' } });
  // The file that the host has put there is covered now: it need not be the one that was scanned.
  const restored = new Set(lost.map(({ mount }) => mount.target));
  return checkMounts(check).filter(({ mount, what }) => what !== 'shows-something-else' || !restored.has(mount.target));
}

/** Of the host's paths only the exported ones are there: a covered path is bound onto itself. What hides follows what is there now. */
function sourceInJail({ source, target }: JailMount): string {
  return source === 'empty-dir' || source === '/dev/null' ? '/dev/null' : target;
}
