#!/bin/busybox sh
# Init of the initramfs: finds the root and the runtime disk by their serials, mounts them and continues in runtime-init.sh.
# @MODULES@ is replaced by the files of the kernel modules, in load order.
# Names of devices and modules hold no spaces, so they need no quotes.
# shellcheck shell=dash disable=SC2015,SC2043,SC2046,SC2086
bb=/bin/busybox
$bb mkdir -p /proc /sys /dev /root
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev

fail() {
  echo "sbx-init: $1"
  $bb poweroff -f
}

for m in @MODULES@; do
  $bb insmod $m || echo "sbx-init: insmod $m failed"
done

# Prints the device of the disk with this serial, which may appear late.
disk() {
  n=0
  while [ $n -lt 100 ]; do
    for d in /sys/block/vd*; do
      [ "$($bb cat $d/serial 2>/dev/null)" = "$1" ] && {
        echo /dev/$($bb basename $d)
        return
      }
    done
    n=$((n+1))
    $bb sleep 0.1
  done
}
root=$(disk sbx-root)
runtime=$(disk sbx-runtime)
[ -n "$root" ] && [ -n "$runtime" ] || fail "no root or runtime disk"
$bb mount -t ext4 -o noatime,discard $root /root || fail "the root disk does not mount"
$bb mkdir -p /root/opt/sbx /root/proc /root/sys /root/dev /root/run /root/tmp
$bb mount -t ext4 -o ro,noload $runtime /root/opt/sbx || fail "the runtime disk does not mount"
$bb mount --move /proc /root/proc
$bb mount --move /sys /root/sys
$bb mount --move /dev /root/dev
exec $bb switch_root /root /opt/sbx/bin/tini -- /opt/sbx/bin/busybox sh /opt/sbx/init
