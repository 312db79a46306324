import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errnoOf } from '../../../lib/errors.ts';
import { ISOLATED } from '../../../lib/system/isolated.ts';
import { appliedProject } from '../applied-project.ts';
import { HOME, inside, json, must, qemuPid, SMALL, statusOf } from '../harness.ts';
import { permittedTo, permittedToServer, STATE } from './jail-permits.ts';
import { shownBy, strangers } from './jail-view.ts';

describe('the jail and the egress proxy, seen from the guest and the host', () => {
  const p = appliedProject(
    'isolation',
    `version = 1\n${SMALL}\n[network]\nallow = ["preset:apt", "preset:npm"]\n[sandboxes.clone]\ncount = 4\n`,
  );

  test('QEMU has no capabilities, namespaces of its own, no network but lo, seccomp and no_new_privs', async () => {
    const pid = qemuPid((await statusOf(p.dir, 'clone-1')).id);
    const status = Object.fromEntries(
      readFileSync(`/proc/${pid}/status`, 'utf8')
        .split('\n')
        .map((line) => line.split(':\t')),
    );
    expect([status['CapEff'], status['CapPrm'], status['CapBnd'], status['CapAmb']]).toEqual(
      Array(4).fill('0000000000000000'),
    );
    expect([status['Seccomp'], status['NoNewPrivs']]).toEqual(['2', '1']);
    for (const kind of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts'])
      expect(readlinkSync(`/proc/${pid}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    const devices = readFileSync(`/proc/${pid}/net/dev`, 'utf8')
      .split('\n')
      .slice(2)
      .map((line) => line.split(':')[0]?.trim())
      .filter(Boolean);
    expect(devices).toEqual(['lo']);
  });

  test('the jail shows nothing of the host: no home, no state folder, no other sandbox', async () => {
    const one = await permittedTo(p.dir, 'clone-1');
    const shown = shownBy(readFileSync(`/proc/${one.pid}/mountinfo`, 'utf8'));
    expect(strangers(shown, one.permitted)).toEqual([]);
    const sourcesOf = (point: string) => shown.find((mount) => mount.point === point)?.sources ?? [];
    expect(shown.flatMap(({ sources }) => sources).filter((path) => path.startsWith(p.dir))).toEqual([]);
    expect(sourcesOf('/vm')).toContain(join(STATE, 'instances', one.id, 'run'));
    // Another sandbox's jail is another one: what is permitted to this one does not fit it.
    const two = await statusOf(p.dir, 'clone-2');
    const other = shownBy(readFileSync(`/proc/${qemuPid(two.id)}/mountinfo`, 'utf8'));
    const points = strangers(other, one.permitted).map(({ point }) => point);
    expect(points).toEqual(expect.arrayContaining(['/vm', '/egress', '/vm-console', '/workspace']));
  });

  test('the jail of the workspace server shows the workspace and nothing else of the host', async () => {
    const { id } = await statusOf(p.dir, 'clone-1');
    const { pid, permitted } = permittedToServer(id, p.dir);
    const shown = shownBy(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
    expect(strangers(shown, permitted)).toEqual([]);
    expect(shown.find(({ point }) => point === '/roots/0')?.sources).toContain(p.dir);
    // Without the folder in the list it would be noticed.
    const without = permitted.filter(({ path }) => path !== p.dir);
    expect(strangers(shown, without).map(({ point }) => point)).toEqual(['/roots/0']);
    const canary = join(homedir(), `.sbx-server-canary-${process.pid}`);
    writeFileSync(canary, 'host\n');
    try {
      const inJail = (path: string) => found(join('/proc', String(pid), 'root', path));
      const hidden = [canary, '/etc/passwd', join(STATE, 'daemon', 'sock'), join(STATE, 'instances')];
      expect(hidden.map(found)).toEqual(hidden.map(() => 'found'));
      expect(hidden.map(inJail)).toEqual(hidden.map(() => 'ENOENT'));
    } finally {
      rmSync(canary, { force: true });
    }
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // CAP_DAC_OVERRIDE of the jail's own user namespace, and no other
    for (const set of ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`${set}:\\t000000000000000[02]\\n`));
    expect(status).toContain('NoNewPrivs:\t1');
    for (const kind of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts'])
      expect(readlinkSync(`/proc/${pid}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
  });

  test('the test before it notices an additional mount in a jail', async () => {
    const one = await permittedTo(p.dir, 'clone-1');
    const pointsWith = (more: string[]) => {
      const look = ['--', '/usr/bin/cat', '/proc/self/mountinfo'];
      const mountinfo = execFileSync('bwrap', [...ISOLATED, ...more, ...look], { encoding: 'utf8' });
      return strangers(shownBy(mountinfo), one.permitted).map(({ point }) => point);
    };
    expect(pointsWith([])).toEqual([]);
    const layer = join(STATE, 'store', `warm-${one.snapshot}`);
    for (const source of [
      '/',
      '/etc',
      homedir(),
      dirname(p.dir),
      STATE,
      join(STATE, 'daemon'),
      join(STATE, 'instances'),
    ])
      expect(pointsWith(['--ro-bind', source, '/more'])).toContain('/more');
    expect(pointsWith(['--ro-bind', layer, '/more'])).toEqual([]);
    expect(pointsWith(['--bind', layer, '/more'])).toContain('/more');
    expect(pointsWith(['--bind', '/usr', '/more'])).toContain('/more');
  });

  test('nothing else of the host is visible in the guest or in the jail', async () => {
    const { id, snapshot } = await statusOf(p.dir, 'clone-1');
    const next = join(HOME, 'instances', (await statusOf(p.dir, 'clone-2')).id);
    const canaries = [`${p.dir}-canary`, join(homedir(), `.sbx-canary-${process.pid}`)];
    const hidden = [
      ...canaries,
      join(HOME, 'daemon', 'sock'),
      join(next, 'run', 'agent'),
      join(next, 'egress', 'proxy'),
    ];
    const known = join(p.dir, 'sandbox.toml');
    try {
      for (const canary of canaries) writeFileSync(canary, 'host\n');
      expect([...hidden, known].map(found)).toEqual([...hidden, known].map(() => 'found'));
      const look = 'for path do [ -e "$path" ] && echo "$path"; done; ls -A /run/sbx/workspace';
      const args = ['exec', '-u', 'root', 'clone-1', '--', 'sh', '-c', look, 'sh', ...hidden, known];
      expect((await must(args, { cwd: p.dir })).stdout).toBe(`${known}\nsandbox.toml\n`);
      // Where the guest would be if it broke out of QEMU
      const inJail = (path: string) => found(join('/proc', String(qemuPid(id)), 'root', path));
      expect(hidden.map(inJail)).toEqual(hidden.map(() => 'ENOENT'));
      const own = ['/workspace/port', '/vm/agent', '/egress/proxy', warmDisk(snapshot)];
      expect(inJail(known)).toBe('ENOENT');
      expect(own.map(inJail)).toEqual(own.map(() => 'found'));
    } finally {
      for (const canary of canaries) rmSync(canary, { force: true });
    }
  });

  test('clones differ in entropy, uuids, machine and boot ids and hostnames, and their clocks are right', async () => {
    const names = ['clone-1', 'clone-2', 'clone-3', 'clone-4'];
    const script =
      'head -c 16 /dev/urandom | od -An -tx1 | tr -d " \\n"; echo; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id; hostname; date +%s.%N';
    const answers: string[][] = [];
    for (const name of names) {
      const before = Date.now() / 1000;
      const lines = (await inside(p.dir, script, [name])).split('\n');
      const after = Date.now() / 1000;
      answers.push(lines);
      // Within a second, beside the way there and back.
      expect(Number(lines[5])).toBeGreaterThanOrEqual(before - 1);
      expect(Number(lines[5])).toBeLessThanOrEqual(after + 1);
    }
    for (let line = 0; line < 5; line += 1)
      expect(new Set(answers.map((lines) => lines[line])).size).toBe(names.length);
  });

  test('a denial is explained and recorded', async () => {
    const text = await inside(
      p.dir,
      'curl -sS -m 30 http://denied.test/; curl -sS -m 30 -o /dev/null -w "%{http_connect}" https://denied.test/ || true',
      ['clone-1'],
    );
    expect(text).toContain('denied.test:80 is denied');
    expect(text).toMatch(/403$/);
    const log = (await must(['net', 'log', 'clone-1', '--json', '--denied'], { cwd: p.dir })).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { host: string; verdict: string });
    expect(log.filter(({ host }) => host === 'denied.test').map(({ verdict }) => verdict)).toEqual(['deny', 'deny']);
    expect(
      await json<{ allow: boolean }>(['net', 'check', 'denied.test'], { cwd: p.dir }).catch(() => ({ allow: false })),
    ).toEqual({ allow: false });
  });

  test('npm reaches an allowed registry', async () => {
    expect(await inside(p.dir, 'cd /tmp && npm view is-number@7.0.0 version', ['clone-1'])).toBe('7.0.0');
  });

  test('direct TCP, UDP, DNS, ICMP, IPv6 and other ports and addresses of the network card lead nowhere', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    const { port } = server.address() as { port: number };
    let hits = 0;
    server.on('connection', (socket) => {
      hits += 1;
      socket.end('the host\n');
    });
    // In the guest, a connection to an outer address may open, since the redirect accepts it. It gets no answer.
    const tries = ['10.0.2.2', '10.0.2.3', '192.0.2.1', '10.0.2.100'].map(
      (host) =>
        `timeout 5 bash -c 'exec 3<>/dev/tcp/${host}/${port} && echo x >&3 && read -t 3 -u 3 line && echo "$line"' 2>/dev/null && echo answered ${host}`,
    );
    const udp = `timeout 3 bash -c 'echo x > /dev/udp/10.0.2.3/53; read -t 2 -u 3 3</dev/udp/10.0.2.3/53' 2>/dev/null && echo udp`;
    const v6 = `timeout 3 bash -c 'echo x > /dev/tcp/::1/3128' 2>/dev/null && echo v6; ip -6 addr show dev eth0 | grep inet6`;
    const out = await inside(p.dir, `${[...tries, udp, v6].join('; ')}; echo done`, ['clone-1']);
    server.close();
    expect(out).toBe('done');
    expect(hits).toBe(0);
  });
});

function warmDisk(snapshot: string | null): string {
  return join(HOME, 'store', `warm-${snapshot}`, 'disk.qcow2');
}

/** What cannot be looked at is not taken for something that is not there. */
function found(path: string): string {
  try {
    lstatSync(path);
    return 'found';
  } catch (error) {
    return errnoOf(error) ?? 'unknown';
  }
}
