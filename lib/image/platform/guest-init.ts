/** The two start-up scripts of every guest, run by the runtime's busybox: pure text. */

/** In the initramfs: find the root and the runtime disk by their serials, mount them, go on in `RUNTIME_INIT`. */
export function initramfsInit(moduleFiles: string[]): string {
  return `#!/bin/busybox sh
bb=/bin/busybox
$bb mkdir -p /proc /sys /dev /root
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev
fail() { echo "sbx-init: $1"; $bb poweroff -f; }
for m in ${moduleFiles.map((file) => `/modules/${file}`).join(' ')}; do $bb insmod $m || echo "sbx-init: insmod $m failed"; done
disk() {
  n=0
  while [ $n -lt 100 ]; do
    for d in /sys/block/vd*; do [ "$($bb cat $d/serial 2>/dev/null)" = "$1" ] && { echo /dev/$($bb basename $d); return; }; done
    n=$((n+1)); $bb sleep 0.1
  done
}
root=$(disk sbx-root); runtime=$(disk sbx-runtime)
[ -n "$root" ] && [ -n "$runtime" ] || fail "no root or runtime disk"
$bb mount -t ext4 -o noatime,discard $root /root || fail "the root disk does not mount"
$bb mkdir -p /root/opt/sbx /root/proc /root/sys /root/dev /root/run /root/tmp
$bb mount -t ext4 -o ro,noload $runtime /root/opt/sbx || fail "the runtime disk does not mount"
$bb mount --move /proc /root/proc
$bb mount --move /sys /root/sys
$bb mount --move /dev /root/dev
exec $bb switch_root /root /opt/sbx/bin/tini -- /opt/sbx/bin/busybox sh /opt/sbx/init
`;
}

/** On the runtime disk, below tini as process 1: devices, network, then the agent for as long as the machine lives. */
export function runtimeInit(lateModules: readonly string[]): string {
  return `#!/opt/sbx/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/sbx/bin
bb=/opt/sbx/bin/busybox
version=$($bb uname -r)
$bb mkdir -p /lib/modules/$version
$bb mount -o bind /opt/sbx/modules/$version /lib/modules/$version
for m in ${lateModules.join(' ')}; do $bb modprobe $m || echo "sbx-init: modprobe $m failed"; done
$bb mount -t tmpfs -o mode=755,nosuid,nodev run /run
$bb mkdir -p /run/lock /run/sbx /dev/pts /dev/shm
$bb chmod 1777 /run/lock /tmp
$bb mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /dev/pts
$bb mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
$bb mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
$bb ln -sf /proc/self/fd /dev/fd; $bb ln -sf fd/0 /dev/stdin; $bb ln -sf fd/1 /dev/stdout; $bb ln -sf fd/2 /dev/stderr
# The disk may have been made larger than its file system; a full-size one is left alone at once.
root=$($bb awk '$2=="/"{print $1}' /proc/mounts | $bb tail -n 1)
/opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/resize2fs $root >/dev/null 2>&1
$bb ifconfig lo 127.0.0.1 up
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null
$bb ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
port() { for p in /sys/class/virtio-ports/*; do [ "$($bb cat $p/name 2>/dev/null)" = $1 ] && { echo /dev/$($bb basename $p); return; }; done; }
n=0; while [ -z "$(port sbx.setup)" -o -z "$(port sbx.agent)" ] && [ $n -lt 100 ]; do n=$((n+1)); $bb sleep 0.1; done
case $($bb uname -m) in aarch64) arch=arm64;; *) arch=x64;; esac
/opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/perl /opt/sbx/agent/setup.pl $arch $(port sbx.setup) </dev/null &
export SBX_PTY_MODULE=/opt/sbx/agent/node_modules/@lydell/node-pty
export SBX_PERL='["/opt/sbx/lib/ld.so","--library-path","/opt/sbx/lib","/opt/sbx/libexec/perl"]'
echo "sbx-init: starting the agent"
while :; do
  /opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/node --jitless --expose-gc --max-old-space-size=128 /opt/sbx/agent/agent.cjs --port $(port sbx.agent)
  echo "sbx-init: the agent ended with $?"
  $bb sleep 0.2
done
`;
}
