#!/opt/sbx/bin/busybox sh
# Init on the runtime disk, below tini as process 1: sets up devices and network, then runs the guest agent for as long as the VM lives.
# @MODULES@ is replaced by the names of the kernel modules to load.
# Names of devices and modules hold no spaces, so they need no quotes.
# shellcheck shell=dash disable=SC2016,SC2043,SC2046,SC2086,SC2166
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/sbx/bin
bb=/opt/sbx/bin/busybox

version=$($bb uname -r)
$bb mkdir -p /lib/modules/$version
$bb mount -o bind /opt/sbx/modules/$version /lib/modules/$version
for m in @MODULES@; do
  $bb modprobe $m || echo "sbx-init: modprobe $m failed"
done

$bb mount -t tmpfs -o mode=755,nosuid,nodev run /run
$bb mkdir -p /run/lock /run/sbx /dev/pts /dev/shm
$bb chmod 1777 /run/lock /tmp
$bb mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /dev/pts
$bb mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
# favordynmods: moving a process to another group need not wait for all processors.
$bb mount -t cgroup2 -o favordynmods cgroup2 /sys/fs/cgroup || $bb mount -t cgroup2 cgroup2 /sys/fs/cgroup
$bb ln -sf /proc/self/fd /dev/fd
$bb ln -sf fd/0 /dev/stdin
$bb ln -sf fd/1 /dev/stdout
$bb ln -sf fd/2 /dev/stderr

# The disk may have been made larger than its file system; resize2fs ends at once for a full-size one.
root=$($bb awk '$2=="/"{print $1}' /proc/mounts | $bb tail -n 1)
/opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/resize2fs $root >/dev/null 2>&1

# What file watchers, databases and builds need; the kernel's own values are for machines of another time.
set_kernel() {
  echo $2 > /proc/sys/$1 || echo "sbx-init: $1 failed"
}
set_kernel fs/inotify/max_user_watches 524288
set_kernel fs/inotify/max_user_instances 1024
set_kernel vm/max_map_count 262144
set_kernel kernel/pid_max 4194304

# IPv6 is for `::1` alone: no other device has an address or a route of it, so everything else is unreachable at once.
for conf in default eth0; do
  echo 1 > /proc/sys/net/ipv6/conf/$conf/disable_ipv6 2>/dev/null
done
$bb ifconfig lo 127.0.0.1 up
$bb ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up

# Prints the device of the virtio port with this name, which may appear late.
port() {
  for p in /sys/class/virtio-ports/*; do
    [ "$($bb cat $p/name 2>/dev/null)" = $1 ] && {
      echo /dev/$($bb basename $p)
      return
    }
  done
}
n=0
while [ -z "$(port sbx.setup)" -o -z "$(port sbx.agent)" -o -z "$(port sbx.workspace)" ] && [ $n -lt 100 ]; do
  n=$((n+1))
  $bb sleep 0.1
done

case $($bb uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
# Not one of the agent's helpers: lack of memory may end it.
if [ -e /etc/sbx/docker ]; then
  /opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/perl /opt/sbx/agent/docker.pl $arch </dev/null &
fi

# The agent and its helpers are the last that lack of memory ends. The agent takes it back for the commands that it starts.
echo -1000 > /proc/self/oom_score_adj
export SBX_CGROUPS=/sys/fs/cgroup

# The setup helper and the workspace's relay are resident in the snapshot.
/opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/perl /opt/sbx/agent/setup.pl $arch $(port sbx.setup) </dev/null &
/opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/perl /opt/sbx/agent/relay.pl $arch $(port sbx.workspace) </dev/null &

export SBX_PTY_MODULE=/opt/sbx/agent/node_modules/@lydell/node-pty
export SBX_PERL='["/opt/sbx/lib/ld.so","--library-path","/opt/sbx/lib","/opt/sbx/libexec/perl"]'
echo "sbx-init: starting the agent"
while :; do
  /opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/node --jitless --expose-gc --max-old-space-size=128 /opt/sbx/agent/agent.cjs --port $(port sbx.agent)
  echo "sbx-init: the agent ended with $?"
  $bb sleep 0.2
done
