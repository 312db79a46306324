import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import { HOME, inside, json, must, SHELL, sbx, until } from '../harness.ts';

const PACKAGES = '[packages]\napt = ["openssh-server", "rsync"]\n[env]\nGREETING = "say \\"hi\\" # there"\n';

describe('ssh to a sandbox', () => {
  const p = appliedProject('ssh', `${SHELL}${PACKAGES}`);
  let dir: string;
  let host: string;
  let config: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sbx-ssh-'));
    config = join(dir, 'config');
    // What a person may have for all hosts.
    writeFileSync(config, 'Host *\n  ForwardAgent yes\n  StrictHostKeyChecking no\n', { mode: 0o600 });
    const found = await json<{ hosts: string[] }>(['ssh-config', '--install', '--file', config], { cwd: p.dir });
    host = found.hosts[0] ?? '';
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** A real client; its exit code is that of the command. */
  const ssh = (args: string[], input?: string, env: Record<string, string> = {}) =>
    execa('ssh', ['-F', config, ...args], { reject: false, env, ...(input === undefined ? {} : { input }) });
  const by = (tool: string, args: string[], input = '') => execa(tool, args, { input, reject: false });

  test('runs commands as the user, with exit code, both outputs and stdin', async () => {
    const result = await ssh([host, 'id -un; cat; echo err >&2; exit 7'], 'from the host');
    expect(result).toMatchObject({ exitCode: 7, stdout: 'agent\nfrom the host', stderr: 'err' });
  });

  test('a session has the environment of exec', async () => {
    const names = 'env | grep -Ev "^(SSH_|SHLVL|PWD|OLDPWD|_|TERM|MAIL)" | sort';
    expect((await ssh([host, names])).stdout).toBe(await inside(p.dir, names));
    expect((await ssh([host, 'echo "$GREETING"'])).stdout).toBe('say "hi" # there');
    const { stdout } = await ssh(['-tt', host], 'echo "path=$PATH"; exit\n');
    expect(stdout).toContain(`path=${await inside(p.dir, 'echo "$PATH"')}`);
  });

  test('scp, sftp and rsync copy both ways, each byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 256));
    const file = join(dir, 'bytes');
    writeFileSync(file, bytes);
    const steps: [tool: string, args: string[], input?: string][] = [
      ['scp', ['-F', config, file, `${host}:/tmp/scp`]],
      ['scp', ['-F', config, `${host}:/tmp/scp`, `${file}.scp`]],
      ['sftp', ['-F', config, '-b', '-', host], `put ${file} /tmp/sftp\nget /tmp/sftp ${file}.sftp\n`],
      ['rsync', ['-a', '-e', `ssh -F ${config}`, file, `${host}:/tmp/rsync`]],
      ['rsync', ['-a', '-e', `ssh -F ${config}`, `${host}:/tmp/rsync`, `${file}.rsync`]],
    ];
    for (const [tool, args, input] of steps) expect(await by(tool, args, input)).toMatchObject({ exitCode: 0 });
    for (const end of ['scp', 'sftp', 'rsync']) expect(readFileSync(`${file}.${end}`).equals(bytes)).toBe(true);
  });

  test('git clones from it and pushes to it', async () => {
    await inside(p.dir, 'git init -q --bare -b main /tmp/shop.git');
    const work = join(dir, 'work');
    const git = (...args: string[]) =>
      execa('git', ['-C', work, '-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
        env: { GIT_SSH_COMMAND: `ssh -F ${config}` },
      });
    mkdirSync(work);
    await git('init', '-q', '-b', 'main');
    await git('commit', '-q', '--allow-empty', '-m', 'first');
    await git('push', '-q', `${host}:/tmp/shop.git`, 'main');
    await git('clone', '-q', `ssh://${host}/tmp/shop.git`, 'clone');
    expect((await git('-C', 'clone', 'log', '--format=%s')).stdout).toBe('first');
  });

  test('an editor’s start: a script on stdin, an archive, a server reached by forwarding', async () => {
    const script = 'uname -sm\nmkdir -p ~/.server\necho listeningOn==$((40+2))==\n';
    expect((await ssh(['-T', host, 'bash', '-s'], script)).stdout).toMatch(/^Linux \S+\nlisteningOn==42==$/);
    const tar = await execa('tar', ['-C', dir, '-c', 'bytes'], { encoding: 'buffer' });
    await execa('ssh', ['-F', config, host, 'tar x -C ~/.server && sha256sum ~/.server/bytes'], { input: tar.stdout });
    await inside(
      p.dir,
      `setsid /opt/sbx/bin/node -e "require('http').createServer((_, a) => a.end('server')).listen(3009, '127.0.0.1')" </dev/null >/dev/null 2>&1 & echo`,
    );
    const socks = join(dir, 'forward');
    const forwarding = execa('ssh', ['-F', config, '-N', '-L', `${socks}:127.0.0.1:3009`, host], { reject: false });
    expect(await until(async () => (await answerOf(socks)) || undefined)).toContain('server');
    forwarding.kill();
    await forwarding;
  });

  test('the commands of JetBrains Gateway, as its published logs show them, with another worker program', async () => {
    // From the log of a deployment (coder/jetbrains-coder, issue 325): each command is one word for a login shell, with a marker before its output.
    const quoted = (text: string) => text.replaceAll(/[^\w./-]/g, (char) => `\\${char}`);
    const logged = async (command: string) => {
      const { exitCode, stdout } = await ssh([
        host,
        `/bin/bash -lc ${quoted(`echo REMOTE_EXEC_OUTPUT_MARKER_ && ${command}`)}`,
      ]);
      expect(stdout).toMatch(/^REMOTE_EXEC_OUTPUT_MARKER_/);
      return { exitCode, output: stdout.replace(/^REMOTE_EXEC_OUTPUT_MARKER_\n?/, '') };
    };
    expect((await ssh([host, 'uname -sm'])).stdout).toMatch(/^Linux \S+$/);
    expect((await ssh([host, 'echo $SHELL'])).stdout).toBe('/bin/bash');
    expect((await logged('echo $HOME')).output).toBe('/home/agent');
    expect((await logged('echo $XDG_CACHE_HOME')).output).toBe('');
    const folder = '/home/agent/.cache/JetBrains/RemoteDev/remote-dev-worker';
    const worker = `${folder}/remote-dev-worker_1`;
    expect((await logged(`test -f ${worker}`)).exitCode).toBe(1);
    expect((await logged(`dirname ${worker}`)).output).toBe(folder);
    // The worker is uploaded under another name, and not run by a shell.
    await logged(`mkdir -p ${folder}`);
    const program = join(dir, 'worker');
    writeFileSync(program, '#!/bin/sh\necho "worker $*"\n');
    const upload = await by('sftp', ['-F', config, '-b', '-', host], `put ${program} ${worker}.2.tmp\n`);
    expect(upload).toMatchObject({ exitCode: 0 });
    expect((await logged(`mv ${worker}.2.tmp ${worker}`)).exitCode).toBe(0);
    expect((await logged(`chmod +x ${worker}`)).exitCode).toBe(0);
    expect((await logged(`test -x ${worker}`)).exitCode).toBe(0);
    expect((await logged(`${worker} host-status --project /`)).output).toBe('worker host-status --project /');
  });

  test('nothing listens inside or outside, and an ended client leaves no server', async () => {
    await ssh([host, 'true']);
    await until(async () => (await inside(p.dir, 'pgrep -c sshd || true')) === '0');
    expect(await inside(p.dir, 'awk \'$4 == "0A" && $2 ~ /:0016$/\' /proc/net/tcp /proc/net/tcp6')).toBe('');
  });

  test('a stopped sandbox is started', async () => {
    await must(['stop'], { cwd: p.dir });
    expect((await ssh([host, 'echo again'])).stdout).toBe('again');
  });

  describe('what the sandbox could take', () => {
    const agent = { SSH_AUTH_SOCK: '' };
    let pid = 0;
    beforeAll(async () => {
      const { stdout } = await execa('ssh-agent', ['-s']);
      agent.SSH_AUTH_SOCK = /SSH_AUTH_SOCK=([^;]+)/.exec(stdout)?.[1] ?? '';
      pid = Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1]);
    });
    afterAll(() => process.kill(pid));

    test('the agent of the host is not forwarded, whatever is set for all hosts', async () => {
      expect((await ssh([host, 'echo "[$SSH_AUTH_SOCK$DISPLAY]"'], '', agent)).stdout).toBe('[]');
    });

    test('it is forwarded when the person asks for it', async () => {
      expect((await ssh(['-A', host, 'echo "[$SSH_AUTH_SOCK]"'], '', agent)).stdout).toMatch(/^\[\/.+\]$/);
    });

    test('another server key is refused, also where checking is off for all hosts', async () => {
      const [{ id } = { id: '' }] = await json<{ id: string }[]>(['ls'], { cwd: p.dir });
      const known = join(HOME, 'instances', id, 'ssh', 'known_hosts');
      const right = readFileSync(known, 'utf8');
      writeFileSync(known, right.replace(/[A-Za-z0-9+/]{10}\n$/, 'AAAAAAAAAA\n'));
      expect(await ssh([host, 'echo in'])).toMatchObject({ exitCode: 255, stdout: '' });
      // With the control off, it is accepted.
      expect((await ssh(['-o', 'StrictHostKeyChecking=no', host, 'echo in'])).stdout).toBe('in');
      writeFileSync(known, right);
    });

    test('a client without the key of the sandbox is refused', async () => {
      const other = join(dir, 'other');
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
      chmodSync(other, 0o600);
      const entry = (await must(['ssh-config'], { cwd: p.dir })).stdout;
      const file = join(dir, 'other-config');
      writeFileSync(file, entry.replace(/IdentityFile .*/, `IdentityFile "${other}"`), { mode: 0o600 });
      const denied = await execa('ssh', ['-F', file, host, 'true'], { reject: false });
      expect(denied).toMatchObject({ exitCode: 255, stderr: expect.stringContaining('Permission denied') });
    });

    test('the key of the person is not inside, nor in the project', async () => {
      const [{ id } = { id: '' }] = await json<{ id: string }[]>(['ls'], { cwd: p.dir });
      const key = readFileSync(join(HOME, 'instances', id, 'ssh', 'user_key'), 'utf8').split('\n')[3] ?? '';
      expect(key.length).toBeGreaterThan(20);
      const lookFor = (line: string) =>
        inside(p.dir, `sudo grep -rlF -- '${line}' /run /etc /home /root /tmp '${p.dir}' 2>/dev/null || true`);
      expect(await lookFor(key)).toBe('');
      // What is inside is found in this way.
      const served = readFileSync(join(HOME, 'instances', id, 'ssh', 'server_key'), 'utf8').split('\n')[3] ?? '';
      expect(await lookFor(served)).toContain('/run/sbx-ssh/');
    });
  });

  test('without a server inside, ssh says what to add; the entry of a removed sandbox is gone', async () => {
    await inside(p.dir, 'sudo mv /usr/sbin/sshd /usr/sbin/sshd.away');
    const failed = await ssh([host, 'true']);
    expect(failed).toMatchObject({ exitCode: 255, stderr: expect.stringContaining('add "openssh-server" to apt') });
    await sbx(['rm', '--all', '--yes', '--discard'], { cwd: p.dir });
    expect((await execa('ssh', ['-G', '-F', config, host])).stdout).not.toMatch(/^proxycommand/m);
  });
});

async function answerOf(socket: string): Promise<string> {
  const client = connect(socket);
  client.end('GET / HTTP/1.0\r\n\r\n');
  let text = '';
  for await (const piece of client) text += String(piece);
  return text;
}
