#!/bin/sh
# Prepares an installed base once: the user of the sandbox, sudo, the proxy of apt, the PATH. Runs as root inside the guest.
set -eu
: "${user:?}" "${proxy:?}"

id "$user" >/dev/null 2>&1 || useradd --create-home --uid 1000 --user-group --shell /bin/bash "$user"

mkdir -p /etc/sudoers.d
cat > /etc/sudoers.d/sbx <<END
$user ALL=(ALL:ALL) NOPASSWD: ALL
Defaults env_keep += "http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY NODE_EXTRA_CA_CERTS npm_config_registry PIP_INDEX_URL"
END
chmod 0440 /etc/sudoers.d/sbx

mkdir -p /etc/apt/apt.conf.d /etc/profile.d
cat > /etc/apt/apt.conf.d/90sbx <<END
Acquire::http::Proxy "$proxy";
Acquire::https::Proxy "$proxy";
END

# Scripts of packages (Java's) link manuals there, and fail where a base without manuals has no such folders.
mkdir -p /usr/share/man/man1 /usr/share/man/man5 /usr/share/man/man7 /usr/share/man/man8

# A package must not start services: starting them is left to the sandbox.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d

# shellcheck disable=SC2016 # the login shell expands it
printf 'PATH="$PATH:/opt/sbx/bin"\n' > /etc/profile.d/sbx.sh

# Each sandbox gets a machine id of its own.
: > /etc/machine-id

# The guest agent answers DNS.
rm -f /etc/resolv.conf
printf 'nameserver 127.0.0.1\n' > /etc/resolv.conf
