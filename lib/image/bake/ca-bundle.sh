#!/bin/sh
# Makes sure that the system has a CA bundle. Debian's base images have one already; a base without any gets an empty list, to which
# certificates are added. The bundle must end with a line break, so that an added certificate begins a line.
set -eu
: "${share:?}" "${bundle:?}" "${extra:?}"

mkdir -p "$share" "$(dirname "$bundle")"
if [ ! -s "$bundle" ] && command -v update-ca-certificates >/dev/null; then
  output=$(update-ca-certificates 2>&1) || { printf '%s\n' "$output" >&2; exit 1; }
fi
touch "$bundle" "$extra"
if [ -n "$(tail -c 1 "$bundle")" ]; then echo >> "$bundle"; fi
