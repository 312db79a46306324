import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import { applyUntil } from '../apply-until.ts';
import {
  daemonPid,
  HOME,
  inside,
  json,
  killDaemon,
  must,
  qemuPid,
  qemusOf,
  SBX,
  SHELL,
  sbx,
  statusOf,
  until,
} from '../harness.ts';

/** Prints the agent's process; the script itself does not look like it. */
const FIND_AGENT =
  'for file in /proc/[0-9]*/cmdline; do grep -qa "[/]agent.cjs" $file && echo $file | cut -d/ -f3; done; :';

/** Ends one try, not the test */
const TRY_MS = 20_000;

/** The same bundles in another folder. */
function anotherBuild() {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-copy-'));
  for (const part of ['bin', 'dist', 'templates', 'package.json'])
    cpSync(join(dirname(SBX), '..', part), join(dir, part), { recursive: true });
  const env = { ...process.env, SBX_HOME: HOME };
  return { dir, sbx: (...args: string[]) => spawnSync(join(dir, 'bin/sbx'), args, { env, encoding: 'utf8' }) };
}

describe('recovery from killed processes and damage', () => {
  const p = appliedProject('recovery', SHELL);

  test('a VM keeps running and is found again after kill -9 of the daemon', async () => {
    await inside(p.dir, 'echo before > /tmp/before');
    const before = await statusOf(p.dir);
    killDaemon();
    expect(await inside(p.dir, 'cat /tmp/before')).toBe('before');
    expect((await statusOf(p.dir)).pid).toBe(before.pid);
    expect(await json(['apply'], { cwd: p.dir })).toMatchObject({ steps: [] });
  });

  test('a daemon of the same build takes over when the folder of the running one is gone', async () => {
    const before = await statusOf(p.dir);
    await must(['daemon', 'stop'], { cwd: p.dir });
    const copy = anotherBuild();
    copy.sbx('ls');
    const other = daemonPid();
    rmSync(copy.dir, { recursive: true, force: true });
    await must(['reset', '--yes'], { cwd: p.dir });
    expect(daemonPid()).not.toBe(other);
    expect((await statusOf(p.dir)).id).toBe(before.id);
    expect(await inside(p.dir, 'echo here')).toBe('here');
  });

  test('a daemon of another build, and `daemon stop`, leave a command alone that runs through the daemon', async () => {
    const at = { cwd: p.dir };
    const copy = anotherBuild();
    const before = daemonPid();
    const running = sbx(['exec', '--', 'sh', '-c', 'touch /tmp/begun; until test -e /tmp/end; do sleep 0.2; done'], at);
    await until(() => inside(p.dir, 'test -e /tmp/begun && echo yes'));
    expect(copy.sbx('ls').stderr).toMatch(/^sbx: .* stays for now: .*recovery.*: a command.* since .*stop --yes`\n$/);
    const { code, stderr } = await sbx(['daemon', 'stop'], at);
    expect([code, stderr]).toEqual([4, expect.stringMatching(/recovery.*: a command.* since/)]);
    expect(daemonPid()).toBe(before);
    await inside(p.dir, 'touch /tmp/end');
    expect((await running).code).toBe(0);
    expect(copy.sbx('ls').stderr).toBe('sbx: the daemon of another build was replaced\n');
    expect(daemonPid()).not.toBe(before);
    rmSync(copy.dir, { recursive: true, force: true });
    await must(['ls'], at);
  });

  test('the network is closed without the daemon, and follows its policy again with the next one', async () => {
    const socket = join(HOME, 'instances', (await statusOf(p.dir)).id, 'egress', 'proxy');
    await must(['daemon', 'stop'], { cwd: p.dir });
    expect(existsSync(socket)).toBe(false);
    expect(await inside(p.dir, 'curl -sS -m 20 http://denied.test/ 2>&1 || true')).toContain('denied');
  });

  test('a sandbox restarts by its policy after kill -9 of QEMU', async () => {
    const before = await statusOf(p.dir);
    process.kill(qemuPid(before.id), 'SIGKILL');
    const after = await until(async () => {
      const now = await statusOf(p.dir);
      return now.state === 'running' && now.pid !== before.pid ? now : undefined;
    });
    expect(after.conditions.find(({ type }) => type === 'Ready')?.status).toBe(true);
    expect(await inside(p.dir, 'echo alive')).toBe('alive');
  });

  test('a new guest agent answers after kill -9 of the previous one, in the same VM', async () => {
    const { id, pid } = await statusOf(p.dir);
    const machine = qemuPid(id);
    const agent = await inside(p.dir, `echo kept > /tmp/kept; echo kept > kept; ${FIND_AGENT}`);
    expect(agent).toMatch(/^\d+$/);
    // What answers is killed: this may fail, or never be answered.
    await sbx(['exec', '-u', 'root', '--', 'kill', '-9', agent], { cwd: p.dir, endAfterMs: TRY_MS });
    const script = `cat /tmp/kept kept; ${FIND_AGENT}`;
    const seen = await until(async () => {
      const { code, stdout } = await sbx(['exec', '--', 'sh', '-c', script], { cwd: p.dir, endAfterMs: TRY_MS });
      return code === 0 && stdout.trim().split('\n');
    });
    expect(seen).toEqual(['kept', 'kept', expect.stringMatching(/^\d+$/)]);
    expect(seen[2]).not.toBe(agent);
    expect(await statusOf(p.dir)).toMatchObject({ id, pid, state: 'running' });
    expect(qemusOf(id)).toEqual([machine]);
  });

  test.each([0, 60, 150, 300, 600, 1200])(
    'the next daemon converges after kill -9 %i ms into an apply',
    async (delay) => {
      await must(['rm', '--yes'], { cwd: p.dir });
      const applying = sbx(['apply', '--yes'], { cwd: p.dir });
      await new Promise((resolve) => setTimeout(resolve, 150 + delay));
      killDaemon();
      await applying;
      await must(['apply', '--yes'], { cwd: p.dir });
      expect(await inside(p.dir, 'echo converged')).toBe('converged');
      expect(qemusOf((await statusOf(p.dir)).id)).toHaveLength(1);
    },
  );

  test('Ctrl-C during creation exits with 130, and the next apply finishes it', async () => {
    await must(['rm', '--yes'], { cwd: p.dir });
    // The machine is started and loads its memory only after this line.
    const begun = (text: string) => /: create$/m.test(text);
    const { code, acted } = await applyUntil(p.dir, begun, (child) => child.kill('SIGINT'));
    expect([acted, code]).toEqual([true, 130]);
    await must(['apply', '--yes'], { cwd: p.dir });
    expect(await inside(p.dir, 'echo finished')).toBe('finished');
    expect(qemusOf((await statusOf(p.dir)).id)).toHaveLength(1);
  });

  test('two applies at once share the steps and both report the running sandbox', async () => {
    await must(['rm', '--yes'], { cwd: p.dir });
    const [one, two] = await Promise.all([
      json<{ steps: unknown[]; sandboxes: { state: string }[] }>(['apply', '--yes'], { cwd: p.dir }),
      json<{ steps: unknown[]; sandboxes: { state: string }[] }>(['apply', '--yes'], { cwd: p.dir }),
    ]);
    expect([one.steps.length, two.steps.length].toSorted()).toEqual([0, 3]);
    expect([one, two].map(({ sandboxes }) => sandboxes[0]?.state)).toEqual(['running', 'running']);
  });

  test('the command of a client that disconnects is ended', async () => {
    const running = sbx(['exec', '--', 'sh', '-c', 'echo $$ > /tmp/pid; exec sleep 1000'], {
      cwd: p.dir,
      onStart: (child) =>
        void until(() => inside(p.dir, 'test -s /tmp/pid && echo yes')).then(() => child.kill('SIGKILL')),
    });
    expect((await running).code).toBe(137);
    await until(
      async () => (await inside(p.dir, 'kill -0 $(cat /tmp/pid) 2>/dev/null && echo there || echo gone')) === 'gone',
    );
  });

  test('a damaged layer is detected, reported and rebuilt; a layer with only a new timestamp is not', async () => {
    const { id, snapshot } = await statusOf(p.dir);
    expect(id).toBeTruthy();
    await must(['rm', '--yes'], { cwd: p.dir });
    const device = join(HOME, 'store', `warm-${snapshot}`, 'device');
    utimesSync(device, new Date(), new Date());
    expect((await must(['apply', '--yes'], { cwd: p.dir })).stderr).not.toContain('damaged');
    await must(['rm', '--yes'], { cwd: p.dir });
    const { size } = statSync(device);
    const file = openSync(device, 'r+');
    writeSync(file, 'damage', Math.floor(size / 2));
    closeSync(file);
    expect((await must(['apply', '--yes'], { cwd: p.dir })).stderr).toContain('damaged');
    expect(await inside(p.dir, 'echo sound')).toBe('sound');
  });

  test('the RAM file of a new layer takes no space for zero pages', async () => {
    const { snapshot } = await statusOf(p.dir);
    const ram = join(HOME, 'store', `warm-${snapshot}`, 'ram');
    const copy = join(HOME, `ram-${process.pid}`);
    try {
      execFileSync('cp', ['--sparse=always', ram, copy]);
      const [kept, least] = [statSync(ram), statSync(copy)];
      expect(least.size).toBe(kept.size);
      expect(least.blocks / kept.blocks).toBeGreaterThanOrEqual(0.99);
      expect(kept.blocks * 512).toBeLessThan(kept.size / 2);
    } finally {
      rmSync(copy, { force: true });
    }
  });

  test('gc keeps everything that is used', async () => {
    const used = (await json<{ layers: { kind: string; key: string }[] }>(['inspect'], { cwd: p.dir })).layers;
    const { items } = await json<{ items: { kind: string; key: string }[] }>(['gc', '--dry-run'], { cwd: p.dir });
    expect(used.length).toBeGreaterThanOrEqual(5);
    for (const layer of used) expect(items).not.toContainEqual(expect.objectContaining(layer));
    expect(readdirSync(join(HOME, 'store', 'tmp'))).toEqual([]);
  });
});
