/** A Docker engine in a real VM, with a real registry of images as a service of the host. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PortInfo } from '../../../lib/api/sandbox-status.ts';
import { inside, json, must, netLog, type Project, project, until } from '../harness.ts';
import { startRegistry } from './real-servers.ts';

const REGISTRY = 'registry.host.sbx:5000';
const IMAGE = `${REGISTRY}/tools:1`;
/** Plain HTTP is for this registry alone. */
const INSECURE = `sed -i '1s|{|{ \\"insecure-registries\\": [\\"${REGISTRY}\\"],|' /etc/docker/daemon.json`;

const toml = (port: number) => `version = 1
agent = "shell"
[resources]
memory = "1GiB"
cpus = 1
[docker]
enabled = true
[packages]
setup = ["${INSECURE}"]
[[services]]
name = "registry"
host = "127.0.0.1:${port}"
port = 5000
[[ports]]
guest = 8080
host = 0
`;

/** An image of the guest's own programs: a shell, a few tools, and perl for both ends of HTTP. */
const ROOT_FS = `set -e
cd /
programs='sh dash perl cat ls id chown touch stat sleep getent'
files=$(for name in $programs; do echo usr/bin/$name; ldd /usr/bin/$name | grep -o '/[^ ]*' | sed 's|^/lib|usr/lib|; s|^/||'; done | sort -u)
tar -cf /tmp/tools.tar bin lib lib64 etc/nsswitch.conf usr/lib/*-linux-gnu/perl-base
tar -rhf /tmp/tools.tar $files
docker import /tmp/tools.tar tools >/dev/null
rm /tmp/tools.tar
`;

/** `get HOST PORT PATH`: the answer, or why there is none. */
const GET = `#!/usr/bin/perl
use IO::Socket::INET;
my ($host, $port, $path) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 20) or print("no connection\\n"), exit 1;
print $socket "GET $path HTTP/1.0\\r\\nHost: $host\\r\\n\\r\\n";
print <$socket>;
`;

/** `ask ADDRESS`: a question to a resolver, over UDP. */
const ASK = `#!/usr/bin/perl
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(Proto => 'udp', PeerAddr => $ARGV[0], PeerPort => 53) or print("no route\\n"), exit;
print $socket "\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4test\\0\\0\\1\\0\\1";
$SIG{ALRM} = sub { print "silence\\n"; exit };
alarm 3;
print sysread($socket, my $answer, 512) ? "answered\\n" : "silence\\n";
`;

/** `serve PORT`: an HTTP server with one page. */
const SERVE = `#!/usr/bin/perl
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 9, ReuseAddr => 1) or die $!;
$| = 1;
print "serving\\n";
while (my $socket = $listener->accept) {
  1 while (my $line = <$socket>) =~ /\\S/;
  print $socket "HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\npage\\r\\n";
}
`;

const DOCKERFILE = `FROM tools
COPY get ask serve /usr/bin/
RUN get registry.host.sbx 5000 /v2/ > /built
CMD ["serve", "80"]
`;

/** The programs that have the socket of the engine, without those that have a connection to it. */
const HOLDERS = `inode=$(sed -n "s|.* 00010000 0001 01 *\\([0-9]*\\) /run/docker.sock$|\\1|p" /proc/net/unix)
for p in /proc/[0-9]*; do ls -l $p/fd 2>/dev/null | grep -qF "socket:[$inode]" && cat $p/comm; done | sort -u`;

const COMPOSE = `version: "3"
services:
  web:
    image: ${IMAGE}
    healthcheck:
      test: ["CMD", "get", "127.0.0.1", "80", "/"]
      interval: 1s
      retries: 60
  caller:
    image: ${IMAGE}
    command: sh -c 'until get web 80 /; do sleep 1; done; sleep 600'
    depends_on: [web]
`;

describe('Docker inside', () => {
  let registry: Awaited<ReturnType<typeof startRegistry>>;
  let p: Project;
  const docker = (args: string) => inside(p.dir, `docker ${args} 2>&1`);
  const fails = (args: string) => inside(p.dir, `docker ${args} 2>&1 && echo "it did not fail"; true`);

  beforeAll(async () => {
    registry = await startRegistry();
    p = project('docker', toml(registry.port));
    await must(['apply', '--yes', '--accept-widening'], { cwd: p.dir });
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  test('a new sandbox has its engine at once, and nothing of the host’s', async () => {
    expect(await docker('info --format "{{.Driver}} {{.Containers}} {{.Images}}"')).toBe('overlay2 0 0');
    expect(await docker('compose version --short')).toMatch(/^\d+\.\d+/);
    expect(await inside(p.dir, 'env | grep ^DOCKER_; grep -c docker.sock /proc/self/mountinfo; true')).toBe('0');
  });

  test('an image is built with the network by name, pushed to a registry and pulled from it', async () => {
    await inside(p.dir, ROOT_FS);
    const context = join(p.dir, 'context');
    mkdirSync(context);
    for (const [name, text] of Object.entries({ get: GET, ask: ASK, serve: SERVE, Dockerfile: DOCKERFILE }))
      writeFileSync(join(context, name), text, { mode: 0o755 });
    await docker(`build -q -t ${IMAGE} context`);
    expect(await docker(`run --rm ${IMAGE} cat /built`)).toContain('200 OK');
    await docker(`push -q ${IMAGE}`);
    expect(await (await fetch(`http://127.0.0.1:${registry.port}/v2/tools/tags/list`)).json()).toEqual({
      name: 'tools',
      tags: ['1'],
    });
    await docker(`rmi ${IMAGE}`);
    await docker(`pull -q ${IMAGE}`);
    expect(await docker(`run --rm ${IMAGE} id -u`)).toBe('0');
    // Push and pull were connections to the service, with the line that allows it.
    const used = (await netLog(p.dir)).filter(
      ({ host, verdict }) => host === 'registry.host.sbx' && verdict === 'allow',
    );
    expect(used.length).toBeGreaterThan(2);
  });

  test('a denied pull says the rule, and a container reaches nothing that the policy denies', async () => {
    expect(await fails('pull denied.test/tools')).toMatch(/denied\.test:443 is denied: no allow rule covers it/);
    const get = (place: string) => fails(`run --rm ${IMAGE} get ${place}`);
    expect(await get('denied.test 80 /')).toMatch(/403 Forbidden by sbx/);
    // Neither an address, nor the host by the addresses of its own that other products give it, nor a resolver of its own.
    for (const place of ['192.0.2.1 80 /', '169.254.169.254 80 /', `10.0.2.2 ${registry.port} /v2/`])
      expect(await get(place), place).not.toMatch(/200 OK/);
    expect(await docker(`run --rm --privileged --network host ${IMAGE} ask 192.0.2.53`)).toMatch(
      /^(no route|silence)$/,
    );
    const denied = (await netLog(p.dir)).filter(({ verdict }) => verdict === 'deny').map(({ host }) => host);
    expect(denied).toEqual(expect.arrayContaining(['denied.test', '192.0.2.1']));
  });

  test('two services of a compose file talk, are healthy, and a published port is reached from the host', async () => {
    writeFileSync(join(p.dir, 'compose.yaml'), COMPOSE);
    await inside(p.dir, 'docker compose up -d 2>&1');
    await until(async () => (await inside(p.dir, 'docker compose logs caller 2>&1')).includes('200 OK'));
    await until(async () => (await docker('ps --filter health=healthy -q')) !== '');
    await inside(p.dir, 'docker compose down -t 1 2>&1');
    await docker(`run -d --name web -p 8080:80 ${IMAGE}`);
    const url = await until(async () => (await json<PortInfo[]>(['ports'], { cwd: p.dir }))[0]?.url ?? undefined);
    expect(await until(async () => (await fetch(url).catch(() => undefined))?.text())).toBe('page\r\n');
    expect(await docker('logs web')).toBe('serving');
    expect(await docker('exec web cat /built')).toContain('200 OK');
    // Neither containerd nor what serves the port: who accepts on the socket has the engine's rights.
    expect(await inside(p.dir, `sudo sh -c '${HOLDERS}'`)).toBe('dockerd\nsbx-docker');
    await docker('rm -f web');
  });

  test('a container that owns its files in the workspace changes no owner on the host', async () => {
    await docker(`run --rm -v ${p.dir}:/work ${IMAGE} sh -c "touch /work/data && chown 70:70 /work/data"`);
    expect(await inside(p.dir, `stat -c %u:%g ${p.dir}/data`)).toBe('70:70');
    expect(statSync(join(p.dir, 'data')).uid).toBe(process.getuid?.());
  });

  test('images and volumes outlive a stop, and a reset has a fresh engine', async () => {
    await docker(`run --rm -v kept:/data ${IMAGE} sh -c "echo written > /data/file"`);
    await must(['stop', '--yes'], { cwd: p.dir });
    await must(['start'], { cwd: p.dir });
    expect(await docker(`run --rm -v kept:/data ${IMAGE} cat /data/file`)).toBe('written');
    // An engine that was killed comes back, and its clients wait for it.
    await inside(p.dir, 'sudo pkill -9 dockerd || sudo kill -9 $(cat /var/run/docker.pid)');
    expect(await docker('images -q')).not.toBe('');
    await must(['reset', '--yes', '--discard'], { cwd: p.dir });
    expect(await docker('info --format "{{.Images}}"')).toBe('0');
  });
});
