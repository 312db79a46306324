import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { describe, expect, test } from 'vitest';
import type { PortInfo, SandboxStatus } from '../../../lib/api/sandbox-status.ts';
import { appliedProject } from '../applied-project.ts';
import { HOME, inside, json, killDaemon, must, SBX, SHELL, sbx, until } from '../harness.ts';

/** Two HTTP servers: one on each loopback of the guest. */
const SERVERS = `
const { createServer } = require('node:http');
createServer((_, answer) => answer.end('four')).listen(3004, '127.0.0.1');
createServer((_, answer) => answer.end('six')).listen(3006, '::1');
`;

const OFFERED = '[[ports]]\nguest = "auto"\n';
const PORTS = '[[ports]]\nguest = 3004\nhost = 0\n';

/** A login: it waits for the call-back of a browser, and shows the code that it brought. */
const LOGIN = `
const server = require('node:http').createServer((request, answer) => {
  answer.end('you can close this page');
  console.log(request.url);
  server.close();
  server.closeAllConnections();
}).listen(1455, '127.0.0.1');
`;

const LATE = "require('node:http').createServer((_, answer) => answer.end('late')).listen(3008, '127.0.0.1');";

/** `sbx ports` on a terminal, with the answer to each question; what was shown. */
async function answered(cwd: string, answer: string): Promise<string> {
  const pty = spawn(SBX, ['ports'], { cols: 160, rows: 24, cwd, env: { ...process.env, SBX_HOME: HOME } });
  let shown = '';
  let asked = 0;
  pty.onData((data) => {
    shown += data;
    const questions = shown.split('on this host?').length - 1;
    if (questions > asked) pty.write(`${answer}\r`);
    asked = questions;
  });
  await new Promise((resolve) => pty.onExit(resolve));
  return shown;
}

describe('ports of a sandbox on the host', () => {
  const p = appliedProject('ports', `${SHELL}[lifecycle]\nrestart = "always"\n`);
  const ports = () => json<PortInfo[]>(['ports'], { cwd: p.dir });
  const urlOf = async (guest: number) => (await ports()).find((one) => one.guest === guest)?.url ?? undefined;
  const get = async (url: string) => (await fetch(url, { headers: { connection: 'close' } })).text();
  const serve = async () => {
    writeFileSync(join(p.dir, 'servers.cjs'), SERVERS);
    // A kernel without IPv6 on its loopback gets it here.
    await inside(p.dir, 'echo 0 | sudo tee /proc/sys/net/ipv6/conf/lo/disable_ipv6 >/dev/null');
    await inside(p.dir, 'setsid /opt/sbx/bin/node servers.cjs </dev/null >/dev/null 2>&1 & echo');
  };
  let stable: string | undefined;

  test('an entry of the file is a widening; approved, it is opened without a restart', async () => {
    await serve();
    p.write(`${SHELL}${PORTS}[lifecycle]\nrestart = "always"\n`);
    const refused = await sbx(['apply'], { cwd: p.dir });
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('ports') });
    expect(await ports()).toEqual([]);
    const { changes } = await json<{ changes: object[] }>(['apply', '--accept-widening'], { cwd: p.dir });
    expect(changes).toMatchObject([{ path: 'ports', effect: 'live', widens: true }]);
    stable = await until(() => urlOf(3004));
    expect(await until(() => get(stable ?? ''))).toBe('four');
    const [row] = await json<SandboxStatus[]>(['ls'], { cwd: p.dir });
    expect(row?.ports).toMatchObject([{ guest: 3004, url: stable, from: 'file', problem: null }]);
    expect((await must(['ls'], { cwd: p.dir })).stdout).toContain(stable);
  });

  test('a service on ::1 is reached by --publish; what is there already is an error with its holder', async () => {
    const [opened] = (await json<PortInfo[]>(['ports', '--publish', '0:3006'], { cwd: p.dir })).slice(-1);
    expect(opened).toMatchObject({ guest: 3006, from: 'publish', address: null });
    expect(await until(() => get(opened?.url ?? ''))).toBe('six');
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const { port } = holder.address() as { port: number };
    try {
      const { code, stderr } = await sbx(['ports', '--publish', `${port}:3004`], { cwd: p.dir });
      expect(code).toBe(1);
      expect(stderr).toContain(`(pid ${process.pid})`);
    } finally {
      holder.close();
    }
    expect(await ports()).toHaveLength(2);
  });

  test('a port is open for the time of a login, and no longer, also when its client is killed', async () => {
    writeFileSync(join(p.dir, 'login.cjs'), LOGIN);
    const publish = ['exec', '-p', '0:1455', '--'];
    const login = sbx([...publish, '/opt/sbx/bin/node', 'login.cjs'], { cwd: p.dir });
    const url = await until(() => urlOf(1455));
    expect(await until(() => get(`${url}/callback?code=42`))).toBe('you can close this page');
    expect(await login).toMatchObject({ code: 0, stdout: '/callback?code=42\n', stderr: expect.stringContaining(url) });
    await until(async () => (await urlOf(1455)) === undefined);
    let pid: number | undefined;
    const killed = sbx([...publish, 'sleep', '600'], { cwd: p.dir, onStart: (child) => (pid = child.pid) });
    await until(() => urlOf(1455));
    process.kill(pid ?? 0, 'SIGKILL');
    await killed;
    await until(async () => (await urlOf(1455)) === undefined);
    expect(await ports()).toHaveLength(2);
  });

  test('what listens inside is shown, asked about once, and never opened unasked', async () => {
    const { stdout } = await must(['ports'], { cwd: p.dir });
    expect(stdout).not.toContain('listens inside');
    await must(['ports', '--unpublish', `${(await ports()).find(({ guest }) => guest === 3006)?.host}:3006`], {
      cwd: p.dir,
    });
    expect((await must(['ports'], { cwd: p.dir })).stdout).toMatch(/3006 \(node\) listens inside; .* --publish 3006/);
    const restart = '[lifecycle]\nrestart = "always"\n';
    p.write(`${SHELL}${PORTS}${OFFERED}${restart}`);
    const { changes } = await json<{ changes: object[] }>(['apply'], { cwd: p.dir });
    expect(changes).toMatchObject([{ path: 'offerPorts', effect: 'live' }]);
    // Without a terminal nobody is asked, and nothing is opened.
    expect(await ports()).toHaveLength(1);
    expect(await answered(p.dir, 'n')).toContain('listens on 3006 (node). Open it on this host?');
    expect(await answered(p.dir, 'y')).not.toContain('Open it on this host?');
    expect(await ports()).toHaveLength(1);
    writeFileSync(join(p.dir, 'late.cjs'), LATE);
    await inside(p.dir, 'setsid /opt/sbx/bin/node late.cjs </dev/null >/dev/null 2>&1 & echo');
    await until(async () => (await must(['ports'], { cwd: p.dir })).stdout.includes('3008'));
    expect(await answered(p.dir, 'y')).toContain('listens on 3008 (node). Open it on this host?');
    const late = (await ports()).find(({ guest }) => guest === 3008);
    expect(late).toMatchObject({ from: 'publish' });
    expect(await until(() => get(late?.url ?? ''))).toBe('late');
    await must(['ports', '--unpublish', `${late?.host}:3008`, '--publish', '0:3006'], { cwd: p.dir });
  });

  test('the next daemon listens on the same ports again after kill -9', async () => {
    killDaemon();
    expect(await until(() => urlOf(3004))).toBe(stable);
    expect(await until(() => get(stable ?? ''))).toBe('four');
    expect(await get((await urlOf(3006)) ?? '')).toBe('six');
  });

  test('--unpublish and a removed entry close them; a stop closes, a start opens again', async () => {
    const six = (await urlOf(3006)) ?? '';
    const { host = 0 } = (await ports()).find(({ guest }) => guest === 3006) ?? {};
    await must(['stop', '--yes'], { cwd: p.dir });
    expect(await ports()).toMatchObject([{ url: null }, { url: null }]);
    await expect(get(six)).rejects.toThrow();
    await must(['start'], { cwd: p.dir });
    await serve();
    expect(await until(() => get(six))).toBe('six');
    await must(['ports', '--unpublish', `${host}:3006`], { cwd: p.dir });
    await expect(get(six)).rejects.toThrow();
    p.write(`${SHELL}[lifecycle]\nrestart = "always"\n`);
    await must(['apply', '--yes'], { cwd: p.dir });
    expect(await ports()).toEqual([]);
    await expect(get(stable ?? '')).rejects.toThrow();
  });
});
