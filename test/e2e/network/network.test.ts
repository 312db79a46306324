/** Programs that know no proxy, from inside a real machine; and a guest's root that breaks what was made for them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createWeb } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inside, must, netLog, type Project, project, SMALL } from '../harness.ts';

const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim().replace(/\/$/, '');
/** Without any of the variables that tell of a proxy */
const BARE = 'env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u NODE_USE_ENV_PROXY';

/** An address of the host that the guest does not take for its own */
const OWN =
  Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '10.0.2.2';

let p: Project;
let echo: Server;
let port: number;
let offered: Awaited<ReturnType<typeof offer>>;
/** Of the host, allowed to the sandbox: nothing listens there but in a test that says so */
let closed: number;
let hits = 0;
const sockets = new Set<Socket>();
beforeAll(async () => {
  // A service of the host that is not allowed.
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    hits += 1;
    sockets.add(socket.on('error', () => {}));
    socket.write('hello ');
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  port = (echo.address() as AddressInfo).port;
  offered = await offer();
  closed = await freePort();
  const allow = `allow = ["preset:npm", "${OWN}:${closed}"]\n`;
  p = project('network', `version = 1\n${SMALL}\n[network]\n${allow}${offered.toml}`);
  await must(['apply', '--accept-widening'], { cwd: p.dir });
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
  offered?.close();
  await p?.[Symbol.asyncDispose]();
});

/** Two services of the host that the sandbox may use: a database's protocol where the server speaks first, and HTTP at a Unix socket */
async function offer() {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-offered-'));
  const database = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.write('ready\n');
    socket.on('end', () => socket.end('bye\n'));
  });
  const web = createWeb((request, response) => response.end(`web ${request.headers.host}`));
  await new Promise<void>((resolve) => database.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => web.listen(join(dir, 'web.sock'), resolve));
  const { port: at } = database.address() as AddressInfo;
  return {
    toml: `[[services]]
name = "db"
host = "127.0.0.1:${at}"
port = 5432
[[services]]
name = "web"
host = "${join(dir, 'web.sock')}"
port = 8080
`,
    close() {
      database.close();
      web.close();
      rmSync(dir, { recursive: true });
    },
  };
}

const run = (script: string) => inside(p.dir, script);

describe('a program without proxy support', () => {
  test('reaches allowed hosts by name: curl, Node, perl', async () => {
    expect(await run(`${BARE} curl -sS -o /dev/null -w '%{http_code}' ${registry}/is-number`)).toBe('200');
    const script = `fetch('${registry}/is-number').then((answer) => process.stdout.write(String(answer.status)))`;
    expect(await run(`${BARE} node -e "${script}"`)).toBe('200');
    const { hostname } = new URL(registry);
    const perl = `use Socket; socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, pack_sockaddr_in(443, inet_aton("${hostname}"))) or die; print "connected"`;
    expect(await run(`perl -e '${perl}'`)).toBe('connected');
    expect((await netLog(p.dir)).filter(({ verdict }) => verdict === 'allow').map(({ host }) => host)).toContain(
      hostname,
    );
  });

  test('reaches the services of the host that the file names, and nothing else of it', async () => {
    expect(await run(`timeout 60 bash -c 'exec 3<>/dev/tcp/db.host.sbx/5432; read said <&3; echo $said'`)).toBe(
      'ready',
    );
    expect(await run(`${BARE} curl -sS -m 60 http://web.host.sbx:8080/`)).toBe('web web.host.sbx:8080');
    expect(await run('curl -sS -m 60 http://web.host.sbx:8080/')).toBe('web web.host.sbx:8080');
    expect(await run('curl -sS -m 60 http://web.host.sbx:8081/')).toContain(
      'no service of the host has this name and port',
    );
    const records = (await netLog(p.dir)).filter(({ host }) => host.endsWith('.host.sbx'));
    expect(records.map(({ verdict, rule }) => `${verdict} ${rule?.text.split(' ')[0] ?? '-'}`)).toEqual(
      expect.arrayContaining(['allow db.host.sbx:5432', 'allow web.host.sbx:8080', 'deny -']),
    );
  });

  test('npm installs without proxy settings', async () => {
    const script = `${BARE} -u npm_config_proxy npm_config_noproxy='*' npm install --no-audit --no-fund is-number@7.0.0`;
    await run(
      `mkdir -p /tmp/n && cd /tmp/n && npm init -y >/dev/null && ${script} >/dev/null && test -f node_modules/is-number/index.js`,
    );
    expect(await run('cat /tmp/n/node_modules/is-number/package.json | grep -c 7.0.0')).not.toBe('0');
  });

  test('gets the reason of a denial, inside TLS and in plain HTTP', async () => {
    const tls = await run(`${BARE} curl -sS -m 60 https://denied.test/x`);
    expect(tls).toMatch(/denied\.test:443 is denied[\s\S]*sbx net allow denied\.test/);
    expect(await run(`${BARE} curl -sS -m 60 http://denied.test/x`)).toContain('denied.test:80 is denied');
    expect((await netLog(p.dir)).filter(({ host }) => host === 'denied.test').map(({ verdict }) => verdict)).toEqual([
      'deny',
      'deny',
    ]);
  });

  test('is disconnected soon when it speaks another protocol to a denied host', async () => {
    expect(await run(`timeout 60 bash -c 'exec 3<>/dev/tcp/denied.test/22; cat <&3'; echo "ended $?"`)).toMatch(
      /ended [01]$/,
    );
  });

  test('needs an allow entry for a literal address, too', async () => {
    await run(`timeout 60 bash -c 'exec 3<>/dev/tcp/8.8.8.8/443; cat <&3' || true`);
    const seen = (await netLog(p.dir)).filter(({ host }) => host === '8.8.8.8');
    expect(seen).toMatchObject([{ verdict: 'deny', reason: 'default-deny', port: 443 }]);
  });

  test('is refused by a closed port of an allowed host, and connects once something listens there', async () => {
    const node = `require('node:net').connect(${closed}, '${OWN}').on('error', ({ code }) => console.log(code)).on('connect', () => { console.log('connected'); process.exit(); })`;
    const perl = `use Socket; socket(my $s, AF_INET, SOCK_STREAM, 0); print connect($s, pack_sockaddr_in(${closed}, inet_aton("${OWN}"))) ? "connected" : $!`;
    const python = `import socket; socket.create_connection(('${OWN}', ${closed}))`;
    const attempt = async () => [
      await run(`${BARE} curl -sS -m 60 -o /dev/null http://${OWN}:${closed}/ 2>&1; echo " $?"`),
      await run(`node -e "${node}"`),
      await run(`perl -e '${perl}'`),
      await run(`if command -v python3 >/dev/null; then python3 -c "${python}" 2>&1 || true; else echo refused; fi`),
    ];
    const [curl, ...others] = await attempt();
    expect(curl).toMatch(/^curl: \(7\) [\s\S]* 7$/);
    expect(others).toEqual(['ECONNREFUSED', 'Connection refused', expect.stringMatching(/refused/)]);
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.end('HTTP/1.0 200 OK\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(closed, OWN, resolve));
    try {
      expect((await attempt()).slice(1, 3)).toEqual(['connected', 'connected']);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('reaches servers of the sandbox by `::1`, and nothing else by IPv6', async () => {
    const server = `require('node:http').createServer((_, answer) => answer.end('six')).listen(8061, '::1')`;
    const look =
      'until curl -sf http://localhost:8061/; do sleep 0.2; done; curl -sSg http://[::1]:8061/; curl -sS6 http://localhost:8061/';
    expect(await run(`node -e "${server}" & pid=$!; ${look}; kill $pid`)).toBe('sixsixsix');
    expect(await run('cat /proc/net/if_inet6')).toMatch(/^0{31}1 01 80 10 80 +lo$/);
    const others = ['2001:db8::1', 'fe80::1', 'fec0::2', '64:ff9b::808:808'];
    const tries = others.map((address) => `bash -c 'echo x >/dev/tcp/${address}/443' 2>&1 || true`);
    const said = (await run(tries.join('; '))).split('\n').filter((line) => line.includes('connect:'));
    expect(said.map((line) => /unreachable|Cannot assign|Invalid argument/.exec(line)?.[0])).toEqual(
      others.map(() => expect.any(String)),
    );
  });

  test('gets an immediate error for UDP, ICMP and IPv6', async () => {
    const udp = await run(`bash -c 'echo x >/dev/udp/8.8.8.8/53' 2>&1 || true`);
    expect(udp).toContain('unreachable');
    const perl = `use Socket; socket(my $s, AF_INET, SOCK_RAW, 1) or die "no socket"; print send($s, "x" x 8, 0, pack_sockaddr_in(0, inet_aton("8.8.8.8"))) ? "sent" : "$!"`;
    expect(await run(`sudo -n perl -e '${perl}'`)).toContain('unreachable');
    expect(await run(`bash -c 'echo x >/dev/tcp/2001:db8::1/443' 2>&1 || true`)).toMatch(
      /unreachable|not supported|Cannot assign/,
    );
  });

  test('causes no lookup on the host before a name is allowed', async () => {
    expect(await run('getent ahostsv4 secret-data.denied.test | head -1')).toMatch(/^198\.1[89]\./);
    expect(await run('getent ahostsv4 localhost | head -1')).toMatch(/^127\.0\.0\.1/);
    expect(await run('getent ahostsv4 $(hostname) | head -1')).toMatch(/^127\./);
    expect((await netLog(p.dir)).filter(({ host }) => host === 'secret-data.denied.test')).toEqual([]);
  });
});

describe("the guest's root", () => {
  test('gains nothing by IPv6 of its own: what was unreachable at once now waits, and no packet arrives', async () => {
    const server = createServer(() => {
      hits += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port: outer } = server.address() as AddressInfo;
    const before = hits;
    const conf = '/proc/sys/net/ipv6/conf/eth0/disable_ipv6';
    const script = [
      `echo 0 > ${conf}; ip -6 address add fec0::15/64 dev eth0 nodad; ip -6 route add default via fec0::2 dev eth0`,
      ...['fec0::2', 'fec0::3', '2001:db8::1'].map(
        (address) => `timeout 5 bash -c 'echo x >/dev/tcp/${address}/${outer}' 2>&1 | grep -E 'Network is unreachable'`,
      ),
      `ip -6 route flush dev eth0; echo 1 > ${conf}; echo done`,
    ];
    try {
      expect(await run(`sudo -n sh -c "${script.join('; ')}"`)).toBe('done');
      expect(hits).toBe(before);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('gains nothing by breaking the redirect: allowed hosts are reached through the egress proxy, and no others', async () => {
    const before = hits;
    const script = [
      'ip rule del prio 32800; ip route flush table 100',
      'ip route add default via 10.0.2.2 dev eth0 2>/dev/null; ip addr add 10.0.2.99/24 dev eth0 2>/dev/null',
      'echo nameserver 10.0.2.3 > /etc/resolv.conf',
      ...['8.8.8.8/443', '10.0.2.2/80', `10.0.2.2/${port}`, '10.0.2.3/53', '169.254.169.254/80'].map(
        (target) => `timeout 3 bash -c 'echo x >/dev/tcp/${target}' 2>/dev/null && echo "open ${target}"`,
      ),
      "timeout 3 getent ahostsv4 example.test >/dev/null && echo 'resolved'",
      'echo done',
    ];
    expect(
      await run(`sudo -n sh -c "${script.join('; ').replaceAll('"', '\\"').replaceAll('$', '\\$')}" 2>/dev/null`),
    ).toBe('done');
    expect(hits).toBe(before);
    expect(await run(`curl -sS -o /dev/null -w '%{http_code}' ${registry}/is-number`)).toBe('200');
    expect(await run("curl -sS -o /dev/null -w '%{http_connect}' https://denied.test/ || true")).toContain('403');
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, OWN, resolve));
  const { port: free } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return free;
}
