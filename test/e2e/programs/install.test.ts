/** Packages for a sandbox that runs: fetched under its own policy, given up for what ends its VM, and in the image of its next disk. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  HOME,
  inside,
  json,
  must,
  netLog,
  type Project,
  project,
  qemusOf,
  type Result,
  SHELL,
  type Status,
  sbx,
  statusOf,
  until,
} from '../harness.ts';
import { type MarkedHosts, startMarkedHosts } from '../network/marked-host.ts';

const REPO = 'repo.install.test';
/** Configures nothing before `/root/go` exists */
const SLOW = '#!/bin/sh\ntest -e /root/go && exit\ntouch /root/begun\nexec sleep 100000\n';
const SLEEP = 'touch /root/begun; exec sleep 100000';
const ALLOWED = `allow = ["${REPO}"]`;

interface Wanted {
  apt?: string[];
  setup?: string[];
  /** Lines of [network] */
  network?: string;
}

const toml = ({ apt = [], setup = [], network = '' }: Wanted) =>
  `${SHELL}[packages]\napt = ${JSON.stringify(apt)}\nsetup = ${JSON.stringify(setup)}\n[network]\n${network}\n`;

/** Of a flat repository: path → content */
function repository(): Map<string, Buffer> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-repo-'));
  const files = new Map<string, Buffer>();
  const entries = Object.entries({ 'sbx-quick': '#!/bin/sh\n', 'sbx-slow': SLOW }).map(([name, script]) => {
    const control = `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: Tests <t@install.test>\nDescription: a test\n`;
    mkdirSync(join(dir, name, 'DEBIAN'), { recursive: true });
    writeFileSync(join(dir, name, 'DEBIAN/control'), control);
    writeFileSync(join(dir, name, 'DEBIAN/postinst'), script, { mode: 0o755 });
    execFileSync('dpkg-deb', ['--build', '--root-owner-group', join(dir, name), join(dir, 'it.deb')]);
    const deb = readFileSync(join(dir, 'it.deb'));
    files.set(`/${name}.deb`, deb);
    const sha = createHash('sha256').update(deb).digest('hex');
    return `${control}Filename: ./${name}.deb\nSize: ${deb.length}\nSHA256: ${sha}\n`;
  });
  rmSync(dir, { recursive: true });
  return files.set('/Packages', Buffer.from(entries.join('\n')));
}

const SOURCES = [
  'sudo rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*',
  `echo 'deb [trusted=yes] https://${REPO}/ ./' | sudo tee /etc/apt/sources.list`,
  `echo 'Acquire::https::Verify-Peer "false";' | sudo tee /etc/apt/apt.conf.d/99test`,
].join(' && ');

const conditionOf = async ({ dir }: Project) =>
  (await statusOf(dir)).conditions.find(({ type }) => type === 'ImageReady');

/** An apply whose installation has begun, and does not end. */
async function applying(p: Project, env: Record<string, string> = {}) {
  await inside(p.dir, 'sudo rm -f /root/begun');
  const ending = new AbortController();
  const result: Promise<Result> = sbx(['apply'], {
    cwd: p.dir,
    env,
    onStart: (child) => ending.signal.addEventListener('abort', () => child.kill('SIGINT')),
  });
  const over = result.then(({ stderr }) => Promise.reject(new Error(`the apply ended: ${stderr}`)));
  await Promise.race([until(async () => (await inside(p.dir, 'sudo ls /root/begun')) !== ''), over]);
  over.catch(() => {});
  return { result, interrupt: () => ending.abort() };
}

describe('from a package source', () => {
  let world: MarkedHosts;
  let p: Project;
  let env: Record<string, string>;
  beforeAll(async () => {
    const files = repository();
    world = await startMarkedHosts({
      names: [REPO],
      folder: join(HOME, 'marked-hosts'),
      answer({ url }, response) {
        const file = files.get(url.replace('/./', '/'));
        response.writeHead(file === undefined ? 404 : 200).end(file);
      },
    });
    const { https_proxy = '' } = world.environment;
    env = { https_proxy, HTTPS_PROXY: https_proxy };
    p = project('install', toml({}));
    // Its environment is the daemon's: none of an earlier one may serve.
    await must(['daemon', 'stop', '--yes'], { cwd: p.dir });
    await command(['apply', '--accept-widening']);
    await inside(p.dir, SOURCES);
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
    await must(['daemon', 'stop', '--yes'], { cwd: '/' });
    await world?.[Symbol.asyncDispose]();
  });
  const command = (args: string[]) => must(args, { cwd: p.dir, env });
  const stateOf = (name: string) => inside(p.dir, `dpkg-query -W -f '\${Status}' ${name} 2>&1 || true`);

  test('that the sandbox may not reach, nothing is installed', async () => {
    p.write(toml({ apt: ['sbx-quick'] }));
    const denied = await sbx(['apply'], { cwd: p.dir, env });
    expect([denied.code, denied.stderr]).toEqual([
      1,
      expect.stringMatching(/packages\.apt[\s\S]*is denied[\s\S]*\[network\]/),
    ]);
    expect(world.seen).toEqual([]);
    expect((await netLog(p.dir)).filter(({ host }) => host === REPO).map(({ verdict }) => verdict)).toContain('deny');
    expect(await stateOf('sbx-quick')).toContain('no packages found');
  });

  test('that its policy lets through, the same is installed', async () => {
    p.write(toml({ apt: ['sbx-quick'], network: ALLOWED }));
    await command(['apply', '--accept-widening']);
    expect(world.seen.length).toBeGreaterThan(0);
    expect(await stateOf('sbx-quick')).toBe('install ok installed');
  });

  test('the image for its next disk is built beside it; a failure is said with its reason and the way out', async () => {
    const building = await until(async () => {
      const found = await conditionOf(p);
      return found?.reason === 'Building' && found;
    });
    expect(building.message).toContain('is built in the background');
    const failed = await until(async () => {
      const found = await conditionOf(p);
      return found?.reason === 'BuildFailed' && found;
    });
    expect(failed.message).toMatch(/packages\.apt: apt-get install sbx-quick.*sbx logs --bake.*sbx apply/);
    expect((await command(['ls'])).stdout).toContain('was not built');
    expect((await command(['logs', '--bake'])).stdout).toContain('Unable to locate package sbx-quick');
  });

  test('Ctrl-C of the apply ends what runs inside, and dpkg is left as it can be repaired', async () => {
    p.write(toml({ apt: ['sbx-quick', 'sbx-slow'], network: ALLOWED }));
    const { result, interrupt } = await applying(p, env);
    interrupt();
    expect((await result).code).toBe(130);
    await until(async () => (await inside(p.dir, 'grep -lx sleep /proc/[0-9]*/comm || true')) === '');
    expect(await stateOf('sbx-slow')).toMatch(/^install ok (half-configured|unpacked)$/);
  });

  test('stop does not wait for an installation; the next apply repairs dpkg and installs', async () => {
    const { result } = await applying(p, env);
    await command(['stop']);
    expect(await result).toMatchObject({ code: 130, stderr: expect.stringContaining('another command ended') });
    expect(await statusOf(p.dir)).toMatchObject({ state: 'stopped', pid: null });
    await command(['start']);
    expect(await stateOf('sbx-slow')).toMatch(/^install ok (half-configured|unpacked)$/);
    await inside(p.dir, 'sudo touch /root/go');
    expect((await command(['apply'])).stderr).toContain('dpkg --configure -a');
    expect(await stateOf('sbx-slow')).toBe('install ok installed');
    expect(JSON.parse((await command(['plan', '--json'])).stdout).changes).toEqual([]);
  });
});

describe('lines of setup', () => {
  let p: Project;
  const added = 'echo added > /etc/added';
  beforeAll(async () => {
    p = project('installed', toml({}));
    await must(['apply', '--accept-widening'], { cwd: p.dir });
  });
  afterAll(() => p?.[Symbol.asyncDispose]());

  test('are in the image that is built beside the sandbox, and reset starts from it: nothing is built then', async () => {
    p.write(toml({ setup: [added] }));
    await must(['apply'], { cwd: p.dir });
    const before = (await statusOf(p.dir)).snapshot;
    await until(async () => (await conditionOf(p)) === undefined);
    const { stderr } = await must(['reset', '--yes'], { cwd: p.dir });
    expect(stderr).not.toContain('building the');
    expect(await inside(p.dir, 'cat /etc/added')).toBe('added');
    const { snapshot, conditions } = await statusOf(p.dir);
    expect(snapshot).not.toBe(before);
    expect(conditions.map(({ type }) => type)).not.toContain('ImageReady');
  });

  test('reset does not wait for one that runs', async () => {
    p.write(toml({ setup: [added, SLEEP] }));
    const { result } = await applying(p);
    await inside(p.dir, 'sudo touch /mine');
    const { stderr } = await must(['reset', '--yes'], { cwd: p.dir });
    expect(stderr).toContain('ending the installation of packages');
    expect(await result).toMatchObject({ code: 130, stderr: expect.stringContaining('another command ended') });
    expect(await inside(p.dir, 'ls /mine 2>/dev/null; cat /etc/added')).toBe('added');
  });

  test('rm does not wait for one that runs, and leaves nothing', async () => {
    const { id, name } = await statusOf(p.dir);
    const { result } = await applying(p);
    await must(['rm', name, '--yes'], { cwd: p.dir });
    expect((await result).code).toBe(130);
    expect((await json<Status[]>(['ls', '--all'], { cwd: p.dir })).map((one) => one.id)).not.toContain(id);
    expect(qemusOf(id)).toEqual([]);
  });
});
