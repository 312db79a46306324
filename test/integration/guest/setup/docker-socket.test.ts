/** Runs the script that holds the Docker socket, in a jail of its own, with a program in the engine's place that lists its descriptors. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test, vi } from 'vitest';

const SCRIPT = resolve('lib/guest/setup/docker.pl');

const LIST = `print join(' ', grep { (readlink("/proc/self/fd/$_") // '') =~ /^socket:/ } 0 .. 255), "\\n";`;

/** As the engine does, it hands descriptor 3 to none of the programs that it starts. */
const ENGINE = `#!/usr/bin/perl
use Fcntl;
$| = 1;
print "$ENV{LISTEN_FDS} for ", $ENV{LISTEN_PID} == $$ ? 'this process' : 'another', "\\n";
${LIST}
open(my $listener, '+<&=3');
fcntl($listener, F_SETFD, FD_CLOEXEC);
system('/usr/bin/perl', '-e', q{${LIST}});
print "end\\n";
sleep 1000;
`;

test('the engine gets the listener as descriptor 3, and a program that it starts gets none', async () => {
  expect(await engineOf(readFileSync(SCRIPT, 'utf8'))).toEqual(['1 for this process', '3', '', 'end', '']);
});

test('that program would get the listener without close-on-exec', async () => {
  const open = readFileSync(SCRIPT, 'utf8').replace('$CLOEXEC = 02000000', '$CLOEXEC = 0');
  expect(await engineOf(open)).toEqual(['1 for this process', '3 50', '50', 'end', '']);
});

/** The lines that the program in the engine's place printed */
async function engineOf(script: string): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-docker-'));
  mkdirSync(join(dir, 'log'));
  writeFileSync(join(dir, 'docker.pl'), script);
  writeFileSync(join(dir, 'engine'), ENGINE, { mode: 0o755 });
  const jail = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--unshare-pid', '--die-with-parent'];
  const folders = ['--tmpfs', '/run', '--dir', '/run/sbx/docker', '--tmpfs', '/sys/fs/cgroup'];
  const engine = ['--tmpfs', '/usr/sbin', '--ro-bind', join(dir, 'engine'), '/usr/sbin/dockerd'];
  const log = ['--bind', join(dir, 'log'), '/var/log'];
  const perl = ['perl', join(dir, 'docker.pl'), process.arch === 'arm64' ? 'arm64' : 'amd64'];
  const child = spawn('bwrap', [...jail, ...folders, ...engine, ...log, ...perl], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  try {
    return await vi.waitFor(
      () => {
        const lines = readFileSync(join(dir, 'log/docker.log'), 'utf8').split('\n');
        expect(lines).toContain('end');
        return lines;
      },
      { timeout: 30_000 },
    );
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(dir, { recursive: true });
  }
}
