import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  daemonPid,
  inside,
  json,
  must,
  type Project,
  project,
  SMALL,
  type Status,
  sbx,
  statusOf,
  until,
} from '../harness.ts';
import { person } from './terminal.ts';

/** A custom agent: one file of the project. */
const TEMPLATE = `version = 1
[agent]
name = "parrot"
command = ["/bin/sh", "-c", 'exec perl "$PARROT" "$@"', "parrot", "--plain"]
headless = ["/bin/sh", "-c", 'echo "said: $1"; echo "err" >&2; [ "$1" = wait ] && { echo $$ > "$HOME/pid"; exec sleep 1000; }; exit 7', "parrot", "{prompt}"]
[env]
WORD = "from the file"
`;

/** It shows its arguments and colours, repeats what it hears, tells its size, and counts the interrupts. */
const PARROT = String.raw`use strict; use Cwd; $| = 1;
my ($interrupts, $told, $resized) = (0, 0, 0);
$SIG{INT} = sub { $interrupts++ };
$SIG{WINCH} = sub { $resized = 1 };
sub size { chomp(my $size = qx(stty size)); print "size $size\n" }
print "\e[?1049h\e[32mparrot\e[0m @ARGV $ENV{WORD} $ENV{TERM} ", getcwd(), "\n";
while (1) {
  print "interrupted ", ++$told, "\n" while $told < $interrupts;
  if ($resized) { $resized = 0; size() }
  vec(my $ready = '', 0, 1) = 1;
  next unless select($ready, undef, undef, 0.1) > 0 && sysread(STDIN, my $line, 1024);
  chomp $line;
  exit $1 if $line =~ /^exit (\d+)/;
  size() if $line eq 'size';
  print "heard $line\n";
}
`;

const running = (status: Status) => status.conditions.find(({ type }) => type === 'AgentRunning')?.status;

describe('the agent of a sandbox', () => {
  let p: Project;

  beforeAll(async () => {
    p = project('run', `version = 1\nextends = ["./parrot.toml"]\n[env]\nPARROT = "parrot.pl"\n${SMALL}`);
    writeFileSync(join(p.dir, 'parrot.toml'), TEMPLATE);
    writeFileSync(join(p.dir, 'parrot.pl'), PARROT);
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  test('without a terminal is applied first, and gets its streams, its exit code and the prompt as one argument', async () => {
    const first = await sbx(['run', '--headless', '$HOME; "x"'], { cwd: p.dir });
    expect(first).toMatchObject({ code: 7, stdout: 'said: $HOME; "x"\n' });
    expect(first.stderr).toContain('err\n');
    expect(await sbx(['run', '--headless', '--json'], { cwd: p.dir })).toMatchObject({ stdout: 'said:  --json\n' });
    expect(await sbx(['run', '--headless', '-'], { cwd: p.dir, input: 'piped\n' })).toMatchObject({
      code: 7,
      stdout: 'said: piped\n',
      stderr: 'err\n',
    });
    const { stdout } = await sbx(['run', '--json', '--headless', 'hi'], { cwd: p.dir });
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.length).toBe(4);
    expect(events[0]).toMatchObject({ started: { sandbox: (await statusOf(p.dir)).name } });
    expect(events).toContainEqual({ stream: 'stdout', data: 'said: hi\n' });
    expect(events).toContainEqual({ stream: 'stderr', data: 'err\n' });
    expect(events.at(-1)).toEqual({ exit: { code: 7 } });
  });

  test('ends with its client when it is headless, unless it is detached', async () => {
    const gone = sbx(['run', '--headless', 'wait'], {
      cwd: p.dir,
      onStart: (child) => void until(() => inside(p.dir, 'cat ~/pid')).then(() => child.kill('SIGKILL')),
    });
    expect((await gone).code).toBe(137);
    await until(async () => (await inside(p.dir, 'kill -0 $(cat ~/pid) 2>/dev/null || echo gone')) === 'gone');
    await until(async () => running(await statusOf(p.dir)) === false);
    await must(['run', '-d', '--headless', 'wait'], { cwd: p.dir });
    await until(async () => running(await statusOf(p.dir)) === true);
    expect((await must(['logs'], { cwd: p.dir })).stdout).toMatch(/said: wait/);
    expect((await json<{ ended: unknown[] }>(['run', '--end'], { cwd: p.dir })).ended.length).toBe(1);
    await until(async () => running(await statusOf(p.dir)) === false);
  });

  test('on a terminal gets arguments, colours, sizes and Ctrl-C, and is attached again after detaching and after kill -9 of client and daemon', async () => {
    const first = person(p.dir, ['run', '--', 'a b']);
    await first.sees(/\[\?1049h.\[32mparrot.\[0m --plain a b from the file xterm-256color (\S+)/);
    first.type('size\r');
    await first.sees(/size 25 90\r+\n/);
    first.pty.resize(111, 33);
    await first.sees(/size 33 111\r+\n/);
    first.type('\x03');
    await first.sees(/interrupted 1/);
    first.type('\x1d');
    first.type('d');
    // Out of the alternate screen again, and told the way back.
    await first.sees(/\[\?1049l[\s\S]*detached; the agent continues[\s\S]*sbx run /);
    expect(await first.exit).toBe(0);
    expect(running(await statusOf(p.dir))).toBe(true);

    const second = person(p.dir, ['run']);
    await second.sees(/attached to the agent in [\s\S]*parrot[\s\S]*interrupted 1/);
    await second.sees(/size 25 90\r+\n/);
    second.type('two\r');
    await second.sees(/heard two/);
    second.pty.kill('SIGKILL');
    await second.exit;

    const third = person(p.dir, ['run']);
    await third.sees(/heard two/);
    third.type('three\r');
    await third.sees(/heard three/);
    process.kill(daemonPid() ?? 0, 'SIGKILL');
    await third.sees(/the connection to the sandbox ended[\s\S]*attach again with/);
    expect(await third.exit).toBe(125);

    const fourth = person(p.dir, ['run']);
    await fourth.sees(/heard three/);
    const fifth = person(p.dir, ['run']);
    await fifth.sees(/heard three/);
    fifth.type('both\r');
    await Promise.all([fourth.sees(/heard both/), fifth.sees(/heard both/)]);
    const refused = await sbx(['run', '-d', '--', 'again'], { cwd: p.dir });
    expect([refused.code, refused.stderr]).toEqual([125, expect.stringContaining('running already')]);
    fourth.type('exit 9\r');
    expect(await Promise.all([fourth.exit, fifth.exit])).toEqual([9, 9]);
    await until(async () => running(await statusOf(p.dir)) === false);
  });

  test('leaves a log that can be read after a restart of the VM', async () => {
    const before = await must(['logs'], { cwd: p.dir });
    expect(before.stdout).toMatch(/parrot.\[0m --plain a b[\s\S]*heard two[\s\S]*heard both/);
    expect(before.stdout).not.toContain('\x1b[?1049h');
    expect((await must(['logs', '--raw'], { cwd: p.dir })).stdout).toContain('\x1b[?1049h');
    await must(['stop'], { cwd: p.dir });
    expect((await sbx(['logs'], { cwd: p.dir })).code).toBe(1);
    await must(['start'], { cwd: p.dir });
    expect((await must(['logs'], { cwd: p.dir })).stdout).toBe(before.stdout);
  });

  test('is not ended by a change; without a terminal or an agent there is a clear error', async () => {
    await must(['run', '-d'], { cwd: p.dir });
    p.write(`version = 1\nextends = ["./parrot.toml"]\n[env]\nPARROT = "parrot.pl"\n${SMALL.replace('512', '640')}`);
    const { pid } = await statusOf(p.dir);
    expect(await sbx(['run', '--headless', 'hi'], { cwd: p.dir })).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('its agent is running'),
    });
    // Also by a daemon that has not heard of the session.
    process.kill(daemonPid() ?? 0, 'SIGKILL');
    for (const verb of ['stop', 'restart', 'apply'])
      expect(await sbx([verb], { cwd: p.dir })).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/a session of .* since [\d-]+ [\d:]+[\s\S]*--yes/),
      });
    expect((await must(['plan'], { cwd: p.dir })).stdout).toMatch(
      /memory: 512 MiB → 640 MiB[\s\S]*LOST: .*ends a session of/,
    );
    const back = person(p.dir, ['run']);
    await back.sees(/sandbox.toml has changed[\s\S]*attached to the agent in [\s\S]*parrot/);
    back.type('exit 0\r');
    expect(await back.exit).toBe(0);
    expect((await statusOf(p.dir)).pid).toBe(pid);
    expect(await sbx(['run'], { cwd: p.dir })).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('--headless'),
    });
    p.write(`version = 1\n[sandboxes.one]\n[sandboxes.two]\n${SMALL}`);
    expect(await sbx(['run', '--headless', 'x'], { cwd: p.dir })).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('one | two'),
    });
  });

  test('does not run when a widening change is refused', async () => {
    p.write(`version = 1\nextends = ["./parrot.toml"]\n[network]\nallow = ["example.com"]\n${SMALL}`);
    const refused = await sbx(['run', '--yes', '--headless', 'x'], { cwd: p.dir });
    expect([refused.code, refused.stdout]).toEqual([125, '']);
  });
});
