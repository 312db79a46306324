#!/bin/sh
# Adds the host's own certificates, PEM on stdin, to what the guest trusts. It does what `update-ca-certificates` would do with them, without
# the many seconds which that spends on all the others.
set -eu
: "${share:?}" "${bundle:?}" "${extra:?}"

certs=$(dirname "$bundle")
cat > "$extra"
cat "$extra" >> "$bundle"
# One certificate a file, as the system's own tools expect it
awk -v at="$share/sbx-host-" '/-----BEGIN/ { n += 1 } { print > (at n ".crt") }' "$extra"
for file in "$share"/sbx-host-*.crt; do
  ln -sf "$file" "$certs/$(basename "$file" .crt).pem"
done
if command -v openssl >/dev/null; then
  output=$(openssl rehash "$certs" 2>&1) || { printf '%s\n' "$output" >&2; exit 1; }
fi
