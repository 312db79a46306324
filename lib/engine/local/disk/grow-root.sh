#!/opt/sbx/bin/busybox sh
# Grows the root file system of a running guest. $1: size of its disk in bytes, which the kernel may still have to notice.
# shellcheck shell=dash disable=SC2016
bb=/opt/sbx/bin/busybox
root=$($bb awk '$2=="/"{print $1}' /proc/mounts | $bb tail -n 1)
size=/sys/class/block/$($bb basename "$root")/size

n=0
while [ $(($($bb cat "$size") * 512)) -lt "$1" ]; do
  n=$((n+1))
  [ $n -lt 100 ] || {
    echo "the kernel does not see the larger disk" >&2
    exit 1
  }
  $bb sleep 0.1
done
exec /opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/resize2fs "$root"
