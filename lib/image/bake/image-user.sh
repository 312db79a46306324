#!/bin/sh
# Prepares the user of the sandbox in an image whose own user has the id 1000, to which the files of the workspace belong: both share it.
# Runs as root inside the guest, before foundation.sh.
set -eu
: "${user:?}"

if id "$user" >/dev/null 2>&1; then exit 0; fi
group=$(getent passwd 1000 | cut -d: -f4)
if test -z "$group"; then exit 0; fi
shell=/bin/bash
test -x "$shell" || shell=/bin/sh
useradd --create-home --non-unique --uid 1000 --gid "$group" --shell "$shell" "$user"
