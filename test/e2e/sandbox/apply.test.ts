import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  HOME,
  inside,
  json,
  must,
  type Project,
  processesWith,
  project,
  SMALL,
  sbx,
  statusOf,
  until,
} from '../harness.ts';

interface Plan {
  changes: { path: string; effect: string; widens: boolean; source: { file: string; line: number } | 'default' }[];
  steps: { action: string }[];
}

const base = `version = 1\nagent = "shell"\n[workspace]\nhide = [".env", "*.secret"]\nreadonly = ["docs"]\n[env]\nGREETING = "hello"\n${SMALL}`;

describe('a project, from its file to a running microVM', () => {
  let p: Project;

  beforeAll(async () => {
    p = project('apply', base);
    execFileSync('git', ['init', '-q'], { cwd: p.dir });
    writeFileSync(join(p.dir, '.env'), 'TOKEN=host-only\n');
    writeFileSync(join(p.dir, 'deep.secret'), 'host-only\n');
    mkdirSync(join(p.dir, 'docs'));
    await must(['apply', '--yes'], { cwd: p.dir });
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  test('a second apply changes nothing, and the plan is empty', async () => {
    const again = await json<{ changes: unknown[]; steps: unknown[] }>(['apply'], { cwd: p.dir });
    expect(again).toMatchObject({ changes: [], steps: [] });
    expect((await sbx(['plan', '--exit-code'], { cwd: p.dir })).code).toBe(0);
  });

  test('the guest uses the time stamp counter of the host as its clock source, without periodic wake-ups', async () => {
    expect(await inside(p.dir, 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource')).toMatch(
      /^(tsc|kvm-clock)$/,
    );
    const timers = await inside(p.dir, 'sudo -n grep -oE "(hres_active|nohz_mode) *: [0-9]" /proc/timer_list');
    expect(new Set(timers.split('\n').map((line) => line.replace(/ +/, '')))).toEqual(
      new Set(['hres_active: 1', 'nohz_mode: 2']),
    );
  });

  test('a wrong clock is corrected while the VM runs', async () => {
    const behind = async (before = '') => Math.abs(Date.now() - Number(await inside(p.dir, `${before} date +%s%3N`)));
    // In one command: the correction may come before the next.
    expect(await behind('sudo -n date -s "2020-01-01 00:00" >/dev/null;')).toBeGreaterThan(1_000_000);
    await until(async () => (await behind()) < 60_000);
  });

  test('a command has its own streams, exit code and working folder', async () => {
    const result = await sbx(['exec', '-i', '--', 'sh', '-c', 'cat; echo err >&2; pwd; exit 42'], {
      cwd: p.dir,
      input: 'from stdin\n',
    });
    expect(result).toEqual({ code: 42, stdout: `from stdin\n${p.dir}\n`, stderr: 'err\n' });
    expect((await sbx(['exec', '--', 'no-such-program'], { cwd: p.dir })).code).toBe(127);
    expect((await sbx(['exec', '--', 'sh', '-c', 'kill -TERM $$'], { cwd: p.dir })).code).toBe(143);
    expect(await inside(p.dir, 'echo $GREETING; id -un')).toBe('hello\nagent');
  });

  test('8 MiB pass unchanged in both directions', async () => {
    const bytes = Buffer.alloc(8 * 1024 * 1024, 'sbx-bulk-');
    const sum = (await sbx(['exec', '-i', '--', 'sha256sum'], { cwd: p.dir, input: bytes })).stdout.split(' ')[0];
    const back = await inside(p.dir, 'head -c 8388608 /dev/zero');
    const { createHash } = await import('node:crypto');
    expect(sum).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(back.length).toBe(8 * 1024 * 1024);
  });

  test('files belong to the host user on both sides', async () => {
    await inside(p.dir, 'mkdir -p made && echo inside > made/file && chmod 755 made/file');
    const { uid, mode } = statSync(join(p.dir, 'made', 'file'));
    expect([uid, (mode & 0o777).toString(8)]).toEqual([process.getuid?.(), '755']);
    writeFileSync(join(p.dir, 'from-host'), 'host\n');
    expect(await inside(p.dir, 'stat -c %U from-host && cat from-host && sudo sh -c "echo root > as-root"')).toBe(
      'agent\nhost',
    );
    expect(statSync(join(p.dir, 'as-root')).uid).toBe(process.getuid?.());
  });

  test.each([
    ['.git/hooks/pre-commit', 'echo x > .git/hooks/pre-commit'],
    ['.git/config', 'git config core.fsmonitor ./evil'],
    ['.git/commondir', 'echo ../evil > .git/commondir; rm .git/commondir'],
    ['.git moved aside', 'mv .git elsewhere'],
    ['.git/hooks removed', 'rm -rf .git/hooks'],
    ['sandbox.toml', 'echo x >> sandbox.toml; git config --file sandbox.toml a.b c; rm sandbox.toml'],
    ['.claude/settings.json', 'mkdir .claude; echo {} > .claude/settings.json'],
    ['.vscode/tasks.json', 'mkdir .vscode; echo {} > .vscode/tasks.json'],
    ['.envrc', 'echo x > .envrc'],
    ['a nested repository', 'git init -q nested; git -C nested config core.fsmonitor ./evil; rm -r nested'],
    ['a read-only entry', 'touch docs/x; mv docs elsewhere'],
  ])('%s is unchanged on the host, also when root writes it', async (_name, script) => {
    const before = protectedFiles(p.dir);
    await sbx(['exec', '-u', 'root', '--', 'sh', '-c', script], { cwd: p.dir });
    expect(protectedFiles(p.dir)).toEqual(before);
  });

  test('the script of a package can link manual pages, although the base has none (Java’s fails without)', async () => {
    const slave = '--slave /usr/share/man/man1/tool.1.gz tool.1.gz /etc/passwd';
    const link = `update-alternatives --install /usr/local/bin/tool tool /bin/true 1 ${slave}`;
    expect(await inside(p.dir, `sudo -n ${link} >/dev/null && tool && echo linked`)).toBe('linked');
  });

  test('a protected file stays protected when a program of the host replaces it', async () => {
    const { renameSync } = await import('node:fs');
    const file = join(p.dir, '.git/config');
    const content = readFileSync(file, 'utf8');
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
    await sbx(['exec', '-u', 'root', '--', 'sh', '-c', 'echo "# from inside" >> .git/config'], { cwd: p.dir });
    expect(readFileSync(file, 'utf8')).toBe(content);
  });

  test('git works in the workspace', async () => {
    await inside(
      p.dir,
      'git -c user.name=a -c user.email=a@b add from-host && git -c user.name=a -c user.email=a@b commit -qm one',
    );
    expect(execFileSync('git', ['log', '--oneline'], { cwd: p.dir, encoding: 'utf8' })).toContain('one');
  });

  test('hidden files do not exist in the guest and are unchanged on the host', async () => {
    expect(
      await inside(p.dir, 'cat .env deep.secret 2>/dev/null | wc -c; ls -A | grep -cxE "[.]env|deep[.]secret"; :'),
    ).toBe('0\n0');
    expect((await sbx(['exec', '--', 'sh', '-c', 'echo x > .env'], { cwd: p.dir })).code).not.toBe(0);
    expect(readFileSync(join(p.dir, '.env'), 'utf8')).toBe('TOKEN=host-only\n');
  });

  test('environment and network changes are applied without a restart', async () => {
    const before = await statusOf(p.dir);
    p.write(`${base.replace('hello', 'changed')}\n[network]\nallow = ["example.com", "preset:apt"]\n`);
    const plan = await json<Plan>(['plan'], { cwd: p.dir });
    const widening = plan.changes.find(({ path }) => path === 'network.allow');
    expect(widening).toMatchObject({ effect: 'live', widens: true, source: { file: join(p.dir, 'sandbox.toml') } });
    const lines = readFileSync(join(p.dir, 'sandbox.toml'), 'utf8').split('\n');
    const source = widening?.source;
    expect(source === undefined || source === 'default' ? '' : lines[source.line - 1]).toContain('example.com');
    expect((await sbx(['apply', '--yes'], { cwd: p.dir })).code).toBe(4);
    await must(['apply', '--accept-widening'], { cwd: p.dir });
    expect(await inside(p.dir, 'echo $GREETING')).toBe('changed');
    expect((await statusOf(p.dir)).pid).toBe(before.pid);
  });

  test('files are copied in and out', async () => {
    mkdirSync(join(p.dir, 'tree', 'sub'), { recursive: true });
    writeFileSync(join(p.dir, 'tree', 'sub', 'x'), 'x', { mode: 0o755 });
    await must(['cp', 'tree', ':/tmp/tree'], { cwd: p.dir });
    expect(await inside(p.dir, 'stat -c %a /tmp/tree/sub/x; cat /tmp/tree/sub/x')).toBe('755\nx');
    await must(['cp', ':/tmp/tree', 'back'], { cwd: p.dir });
    expect(readFileSync(join(p.dir, 'back', 'sub', 'x'), 'utf8')).toBe('x');
  });

  test('stop keeps the disk, reset loses it', async () => {
    await inside(p.dir, 'echo kept > ~/kept');
    expect(await json(['stop'], { cwd: p.dir })).toMatchObject({ state: 'stopped' });
    // A command starts it.
    expect(await inside(p.dir, 'cat ~/kept')).toBe('kept');
    await json(['stop'], { cwd: p.dir });
    expect(await json(['start'], { cwd: p.dir })).toMatchObject({ state: 'running' });
    expect(await inside(p.dir, 'cat ~/kept')).toBe('kept');
    // What root wrote to protected files above is nowhere else.
    const refused = await sbx(['reset', '--yes'], { cwd: p.dir });
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('loses private files') });
    await must(['reset', '--yes', '--discard'], { cwd: p.dir });
    expect((await sbx(['exec', '--', 'cat', '/home/agent/kept'], { cwd: p.dir })).code).toBe(1);
  });

  test('other cpus, another memory and a larger disk keep what is on the disk', async () => {
    const facts = async () => {
      const [memory, cpus, disk, kept] = (
        await inside(
          p.dir,
          'awk "/MemTotal/{print \\$2}" /proc/meminfo; nproc; df --output=size -k / | tail -1; cat ~/kept',
        )
      ).split('\n');
      return { memoryMib: Number(memory) / 1024, cpus, diskGib: Number(disk) / 1024 ** 2, kept };
    };
    const resize = async (resources: string) => {
      p.write(base.replace(SMALL, `[resources]\n${resources}\n`));
      return json<{ steps: { action: string }[] }>(['apply'], { cwd: p.dir });
    };
    const actions = ({ steps }: { steps: { action: string }[] }) => steps.map(({ action }) => action);
    p.write(base);
    await must(['apply', '--yes'], { cwd: p.dir });
    await inside(p.dir, 'echo kept > ~/kept');
    const { pid } = await statusOf(p.dir);
    const before = await facts();
    expect(actions(await resize('memory = "512MiB"\ncpus = 1\ndisk = "30GiB"'))).toEqual(['grow', 'record']);
    const grown = await facts();
    expect([grown.kept, (await statusOf(p.dir)).pid]).toEqual(['kept', pid]);
    expect(grown.diskGib).toBeGreaterThan(before.diskGib + 9);
    expect(actions(await resize('memory = "640MiB"\ncpus = 2\ndisk = "40GiB"'))).toEqual(['stop', 'start', 'record']);
    const resized = await facts();
    expect(resized).toMatchObject({ kept: 'kept', cpus: '2' });
    expect(resized.memoryMib).toBeGreaterThan(before.memoryMib + 100);
    expect(resized.diskGib).toBeGreaterThan(grown.diskGib + 9);
  });

  test('a smaller disk is refused with its line, and what to do', async () => {
    p.write(base.replace(SMALL, '[resources]\nmemory = "640MiB"\ncpus = 2\ndisk = "30GiB"\n'));
    for (const verb of ['plan', 'apply']) {
      const { code, stdout } = await sbx([verb, '--json'], { cwd: p.dir });
      expect([code, JSON.parse(stdout).error]).toEqual([
        2,
        expect.objectContaining({ code: 'config-invalid', line: 11, hint: expect.stringContaining('sbx rm') }),
      ]);
    }
    expect(await inside(p.dir, 'cat ~/kept')).toBe('kept');
  });

  test('rm leaves no process and no folder, and nothing in the project', async () => {
    const { id } = await statusOf(p.dir);
    await must(['rm', '--yes'], { cwd: p.dir });
    expect(processesWith(`sbx-vm:${join(HOME, 'instances', id)}`)).toEqual([]);
    expect(readdirSync(join(HOME, 'instances'))).not.toContain(id);
    expect(
      readdirSync(p.dir)
        .filter((name) => name.startsWith('.'))
        .toSorted(),
    ).toEqual(['.env', '.git']);
    expect(execFileSync('git', ['status', '--short', '--', '.git'], { cwd: p.dir, encoding: 'utf8' })).toBe('');
  });
});

describe('packages', () => {
  test('a bake reaches only the hosts of the presets; its error names the failing line with its output, which is also kept', async () => {
    await using p = project(
      'failing',
      `version = 1\n[packages]\nsetup = ["curl -sS https://elsewhere.example || true", "echo the-last-words; exit 3"]\n${SMALL}`,
    );
    const failed = await sbx(['apply', '--yes'], { cwd: p.dir });
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('packages.setup[1]');
    expect(failed.stderr).toContain('the-last-words');
    expect((await must(['logs', '--bake'], { cwd: p.dir })).stdout).toMatch(/CONNECT.*403[\s\S]*the-last-words/);
  });
});

/** What the host's programs would obey, with its content. */
function protectedFiles(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true }) as string[];
  const watched = names.filter((name) =>
    /^(sandbox.toml|docs|nested|\.claude|\.vscode|\.envrc|\.git\/(config|hooks|commondir))/.test(name),
  );
  return Object.fromEntries(
    watched
      .toSorted()
      .map((name) => [name, statSync(join(dir, name)).isFile() ? readFileSync(join(dir, name), 'utf8') : '/']),
  );
}
