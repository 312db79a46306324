/** The workspace is a file system: programs inside get from it what they get from the guest's own ext4, in the same VM. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import { SHELL } from '../harness.ts';
import { DIFFERENCES, type Difference } from './file-system-differences.ts';
import { bringPrograms, PROGRAMS, programText, runInside } from './guest-programs.ts';

const TOML = `${SHELL}[packages]
apt = ["python3", "rsync"]
npm = ["is-number@7.0.0"]
[network]
allow = ["preset:npm"]
`;
/** The guest's own ext4 */
const DISK = '/var/tmp/disk';

type Answers = Pick<Difference, 'operation' | 'disk' | 'workspace'>;

const p = appliedProject('file-system', TOML);
const run = (script: string, input?: string | Buffer) => runInside(p.dir, script, input);

beforeAll(async () => {
  await bringPrograms(p.dir);
  await run(`mkdir ${DISK} served && stat -f -c %T ${DISK} . | tee /dev/stderr | head -1 | grep -q ext`);
});

/** The same script below a folder of each file system */
async function onBoth(name: string, script: (folder: string) => string, input?: string) {
  const [disk, workspace] = [`${DISK}/${name}`, `${p.dir}/served/${name}`];
  return {
    disk: await run(`mkdir ${disk} && ${script(disk)}`, input),
    workspace: await run(`mkdir ${workspace} && ${script(workspace)}`, input),
  };
}

/** The lines of which the answers differ; both have the same lines in the same order. */
function differences({ disk, workspace }: { disk: string; workspace: string }): Answers[] {
  const served = workspace.split('\n');
  const found = disk.split('\n').map((line, index) => {
    const [operation = '', answer = ''] = line.split(' -> ');
    const [other, served_] = (served[index] ?? '').split(' -> ');
    return { operation, disk: answer, workspace: other === operation ? (served_ ?? '') : `(${served[index]})` };
  });
  return found.filter((one) => one.disk !== one.workspace);
}

describe('answers as ext4 does', () => {
  const cases = programText('posix-cases.txt');
  const known = (user: 'agent' | 'root') =>
    DIFFERENCES.filter(({ users }) => users.includes(user)).map(({ operation, disk, workspace }) => ({
      operation,
      disk,
      workspace,
    }));

  test.each(['agent', 'root'] as const)('to each file operation of %s', async (user) => {
    const call = (folder: string) => `${user === 'root' ? 'sudo -n ' : ''}python3 ${PROGRAMS}/posix.py ${folder}`;
    const answers = await onBoth(`posix-${user}`, call, cases);
    expect(answers.disk.split('\n').length).toBeGreaterThan(600);
    expect(differences(answers)).toEqual(known(user));
  });
});

describe('keeps', () => {
  test('every byte under random reads, writes, maps, holes and copies of several processes', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const script = (folder: string) => `python3 ${PROGRAMS}/fsx.py ${folder} ${seed} 200 4`;
    const { workspace } = await onBoth('fsx', script);
    expect(workspace).toContain('0 of 4 processes failed');
  });

  test('locks among processes, and a database in WAL mode with three writers', async () => {
    const { workspace, disk } = await onBoth('locks', (folder) => `python3 ${PROGRAMS}/locks.py ${folder} 3`);
    expect(workspace).toBe(disk);
    expect(workspace).toContain('sqlite_writers');
  });
});

describe('a guest that is out of memory', () => {
  /** Processes of sbx inside, each with its number; `[x]` keeps the shell that asks out. */
  const partsOfSbx = async () => {
    const script = `for f in $(sudo -n grep -laE 'rela[y].pl|agen[t].cjs' /proc/[0-9]*/cmdline); do
      echo $(cat \${f%cmdline}oom_score_adj) $(sudo -n awk '/^VmLck/ { print ($2 > 0 ? "locked" : "free") }' \${f%cmdline}status) $(tr '\\0' ' ' < $f | grep -oE '(rela[y].pl|agen[t].cjs).*') $f
    done`;
    return (await run(script)).trim().split('\n').sort();
  };

  test('keeps what a process writes by a shared map, and answers', async () => {
    const [name, pages] = ['served/pressure', 8192];
    const before = await partsOfSbx();
    const relays = before.filter((line) => line.includes('relay.pl'));
    expect(relays.some((line) => line.startsWith('-1000 locked '))).toBe(true);
    expect(relays.filter((line) => !line.startsWith('-1000 '))).toEqual([]);
    expect(await run(`python3 ${PROGRAMS}/pressure.py ${name} ${pages}`)).toBe('allocating killed\nwriting 0\n');
    await run('true');
    expect((await partsOfSbx()).filter((line) => line.includes('relay.pl'))).toEqual(relays);
    const written = readFileSync(join(p.dir, name));
    expect(written.length).toBe(pages * 4096);
    const wrong = Array.from({ length: pages }, (_, page) => page).filter((page) => {
      const [start, end] = [page * 4096, (page + 1) * 4096];
      const filled = written.subarray(start + 8, end).every((byte) => byte === (page & 255));
      return !filled || written.readBigUInt64LE(start) !== BigInt(page);
    });
    expect(wrong).toEqual([]);
  });

  test('spares the agent, and none of the commands', async () => {
    const agents = (await partsOfSbx()).filter((line) => line.includes('agent.cjs'));
    expect(agents.filter((line) => !line.startsWith('-1000 '))).toEqual([]);
    expect(agents.length).toBeGreaterThan(0);
    expect(await run('cat /proc/self/oom_score_adj')).toBe('0\n');
  });
});

describe('holds what programs make', () => {
  const scriptOf = (name: string) => (folder: string) =>
    `sh ${PROGRAMS}/${name}.sh ${folder} /var/tmp/source ${PROGRAMS}`;

  test('tar, cp, rsync and git leave the same trees, file by file', async () => {
    await run(`mkdir -p /var/tmp/source && sh ${PROGRAMS}/tree-source.sh /var/tmp/source`);
    const { disk, workspace } = await onBoth('trees', scriptOf('trees'));
    expect(workspace).toBe(disk);
    expect(disk).toContain('== what git keeps');
  });

  test('npm installs the same tree, file by file', async () => {
    await run('mkdir -p /var/tmp/source/project && tar xf - -C /var/tmp/source/project', packedProject());
    const { disk, workspace } = await onBoth('npm', scriptOf('npm-tree'));
    expect(workspace).toBe(disk);
    expect(disk).toMatch(/node_modules\/semver\/package.json/);
  });
});

/** A project of npm with a lockfile, as a tar */
function packedProject(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-lockfile-'));
  try {
    const dependencies = { semver: '7.6.3', minimatch: '3.1.2' };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'a', version: '1.0.0', dependencies }));
    execFileSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'pipe' });
    return execFileSync('tar', ['cf', '-', '-C', folder, '.']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
