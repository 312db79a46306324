#!/bin/sh
# Waits for the engine, and runs and removes a container of one program, so that a clone's first one finds everything in memory.
set -eu
docker info >/dev/null
tar -C /opt/sbx/bin -c busybox | docker import - sbx-warm >/dev/null
docker run --rm sbx-warm /busybox true
docker rmi sbx-warm >/dev/null
docker ps >/dev/null
