#!/opt/sbx/bin/busybox sh
# Prepares kept folders once for each disk. $1: the home folder; the others: folders below it, which are mounted.
#
# A kept folder is mounted over that of the disk. What the image has there (settings of the agent) is copied over what was kept, so that a new disk
# has the settings of its template; all else stays as it was kept.
# shellcheck shell=dash
set -eu
bb=/opt/sbx/bin/busybox
home=$1
shift
below=/run/sbx/below
$bb mkdir -p "$below"
$bb mount -o bind / "$below"
trap '$bb umount "$below"; $bb rmdir "$below"' EXIT
for folder in "$@"; do
  # Folders on the way were made for the mount, as root.
  at=$folder
  while [ "$at" != . ]; do
    [ "$($bb stat -c %u "$below$home/$at")" != 0 ] || $bb chown -h agent:agent "$below$home/$at"
    at=$($bb dirname "$at")
  done
  $bb cp -a --remove-destination "$below$home/$folder/." "$home/$folder/"
done
