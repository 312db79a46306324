#!/bin/sh
# Writes the server's files, as root inside. $1: the server's key. $2: the person's public key. stdin: the configuration.
# Each file has its name once it is whole: another connection may read it now.
set -eu
[ -x /usr/sbin/sshd ] || exit 127
umask 077
dir=/run/sbx-ssh
user=agent
mkdir -p "$dir"
chmod 755 "$dir"
put() {
  cat >"$dir/$1.$$"
  chown "$user": "$dir/$1.$$"
  mv -f "$dir/$1.$$" "$dir/$1"
}
printf '%s\n' "$1" | put server_key
printf '%s\n' "$2" | put authorized_keys
put config
