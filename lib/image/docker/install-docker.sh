#!/bin/sh
# Installs the Docker engine of the distribution with Compose, and configures it for a guest. Runs as root inside the guest.
set -eu
: "${user:?}" "${resolver:?}" "${enabled:?}"

has() {
  apt-cache show "$1" >/dev/null 2>&1
}
# Later releases have the client and Buildx in packages of their own. Modules of the kernel are loaded on request by kmod.
set -- docker.io iptables kmod
for name in docker-cli docker-buildx; do
  if has "$name"; then set -- "$@" "$name"; fi
done
if has docker-compose-v2; then set -- "$@" docker-compose-v2; else set -- "$@" docker-compose; fi
apt-get -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io -o Acquire::Retries=3 -y --no-install-recommends install -- "$@"
apt-get clean

# `docker compose` for a release with Compose as a program of its own
plugins=/usr/local/lib/docker/cli-plugins
if ! docker compose version >/dev/null 2>&1; then
  mkdir -p "$plugins"
  cat > "$plugins/docker-compose" <<'END'
#!/bin/sh
if [ "$1" = docker-cli-plugin-metadata ]; then
  echo '{"SchemaVersion":"0.1.0","Vendor":"Debian","Version":"1","ShortDescription":"Docker Compose"}'
  exit
fi
if [ "$1" = compose ]; then shift; fi
exec docker-compose "$@"
END
  chmod 0755 "$plugins/docker-compose"
fi

# Containers are limited together, like one command: see control-groups.ts. Logs of a container that writes without end are bounded.
mkdir -p /etc/docker
cat > /etc/docker/daemon.json <<END
{
  "cgroup-parent": "/work/docker",
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "dns": ["$resolver"],
  "log-opts": { "max-size": "16m", "max-file": "2" },
  "storage-driver": "overlay2"
}
END

usermod --append --groups docker "$user"
mkdir -p "$(dirname "$enabled")"
: > "$enabled"
