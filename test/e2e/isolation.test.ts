import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { appliedProject } from './applied-project.ts';
import { HOME, inside, json, must, qemuPid, SMALL, statusOf } from './harness.ts';

describe('the jail and the door, from inside and from outside', () => {
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
    const [one, two] = [await statusOf(p.dir, 'clone-1'), await statusOf(p.dir, 'clone-2')];
    const points = readFileSync(`/proc/${qemuPid(one.id)}/mountinfo`, 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '');
    expect(points).toContain('/export/ws');
    expect(points.filter((point) => point.includes(two.id) || point === HOME || point.includes('/daemon'))).toEqual([]);
    expect(existsSync(join(HOME, 'daemon', 'sock'))).toBe(true);
  });

  test('clones share nothing that must differ: entropy, uuids, machine and boot ids, host names; their clocks are right', async () => {
    const names = ['clone-1', 'clone-2', 'clone-3', 'clone-4'];
    const script =
      'head -c 16 /dev/urandom | od -An -tx1 | tr -d " \\n"; echo; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id; hostname; date +%s.%N';
    const answers = await Promise.all(
      names.map(async (name) => ({ lines: (await inside(p.dir, script, [name])).split('\n'), at: Date.now() })),
    );
    for (let line = 0; line < 5; line += 1)
      expect(new Set(answers.map(({ lines }) => lines[line])).size).toBe(names.length);
    // The command's own way back is part of what is seen: the clock may look late by it, never early.
    for (const { lines, at } of answers) expect(at / 1000 - Number(lines[5])).toBeGreaterThan(-1);
  });

  test('what is denied says why, and is written down', async () => {
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

  test('what is allowed works: the registry answers npm', async () => {
    expect(await inside(p.dir, 'cd /tmp && npm view is-number@7.0.0 version', ['clone-1'])).toBe('7.0.0');
  });

  test('there is no other way out: direct TCP, UDP, DNS, ICMP, IPv6, other ports and addresses of the network card', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    const { port } = server.address() as { port: number };
    let hits = 0;
    server.on('connection', (socket) => {
      hits += 1;
      socket.end('the host\n');
    });
    // Inside, a connection to an outer address may open: what carries it to the door took it. Nobody answers there.
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
