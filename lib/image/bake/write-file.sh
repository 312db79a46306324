#!/bin/sh
# Writes stdin to a file: write-file.sh PATH MODE UMASK. A relative path is below the home folder. A link of that name is replaced, not
# followed.
set -eu
case "$1" in /*) ;; *) cd ;; esac
umask "$3"
mkdir -p -- "$(dirname -- "$1")"
rm -f -- "$1"
cat > "$1"
chmod "$2" -- "$1"
