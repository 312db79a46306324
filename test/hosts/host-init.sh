#!/bin/sh
# First process of an emulated host: what systemd would do, as far as sbx needs it.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mountpoint -q /run || mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
hostname kvm-host
ip link set lo up
modprobe kvm_amd
modprobe virtio_console
chgrp kvm /dev/kvm
chmod 660 /dev/kvm
exec tini -s -- node /srv/host-control.mjs
