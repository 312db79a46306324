#!/opt/sbx/bin/busybox sh
# Git's `gpg.ssh.program` in a guest: signs by the ssh agent of the host; all else is the work of ssh-keygen.
# shellcheck shell=dash
[ "$1 $2" = "-Y sign" ] || exec ssh-keygen "$@"
exec /opt/sbx/lib/ld.so --library-path /opt/sbx/lib /opt/sbx/libexec/perl /opt/sbx/agent/git-sign.pl "$@"
