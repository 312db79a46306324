/** Commits that a sandbox makes and the ssh agent of the host signs: a real agent, git of the guest, git of the host. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RealAgent, startAgent } from '../../integration/signing/real-agent.ts';
import { login, signedData } from '../../unit/signing/data.ts';
import { inside, json, killDaemon, must, netLog, type Project, project, SMALL, sbx } from '../harness.ts';

const TOML = `version = 1\nagent = "shell"\n${SMALL}[sandboxes.signs.git]\nsign = true\n[sandboxes.plain]\n`;
const COMMIT = 'git -c user.name=me -c user.email=me@localhost commit -q --allow-empty -m';

let agent: RealAgent;
let key = '';
let p: Project;
let env: Record<string, string>;
beforeAll(async () => {
  agent = await startAgent();
  key = agent.key('mine');
  const config = join(agent.dir, 'gitconfig');
  writeFileSync(config, `[gpg]\n\tformat = ssh\n[user]\n\tsigningkey = ${join(agent.dir, 'mine.pub')}\n`);
  env = { SSH_AUTH_SOCK: agent.socket, GIT_CONFIG_GLOBAL: config };
  p = project('sign', TOML);
  await execa('git', ['init', '-q', '-b', 'main', p.dir]);
  writeFileSync(join(agent.dir, 'signers'), `me@localhost ${key}\n`);
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
  await agent?.[Symbol.asyncDispose]();
});

const commit = (message: string) => sbx(['exec', 'signs', '--', 'sh', '-c', `${COMMIT} ${message}`], { cwd: p.dir });
/** By git and ssh-keygen of the host: the message of the last commit, if its signature is good */
async function verified(): Promise<string> {
  const signers = `gpg.ssh.allowedSignersFile=${join(agent.dir, 'signers')}`;
  await execa('git', ['-C', p.dir, '-c', 'gpg.format=ssh', '-c', signers, 'verify-commit', 'HEAD']);
  return (await execa('git', ['-C', p.dir, 'log', '-1', '--format=%s'])).stdout;
}

/** Asks the host's agent from inside, as a program of the guest can. @returns the answer in hex, or that of the proxy */
function ask(name: string, data: Buffer): Promise<string> {
  const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64').toString('hex');
  const program = `
    const field = (b) => Buffer.concat([Buffer.from([b.length >> 24, b.length >> 16, b.length >> 8, b.length]), b]);
    const hex = (text) => Buffer.from(text, 'hex');
    const line = require('net').connect(3128, '10.0.2.100');
    line.write('CONNECT git.sign.host.sbx:22 HTTP/1.1\\r\\nHost: git.sign.host.sbx:22\\r\\n\\r\\n');
    let text = '';
    line.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\\r\\n\\r\\n');
      if (end < 0) return;
      if (!text.startsWith('HTTP/1.1 200')) return line.end(void console.log(text.split('\\r\\n')[0]));
      if (text.length === end + 4)
        return line.write(field(Buffer.concat([hex('0d'), field(hex('${blob}')), field(hex('${data.toString('hex')}')), hex('00000000')])));
      console.log(Buffer.from(text.slice(end + 4), 'latin1').toString('hex'));
      line.end();
    });`;
  writeFileSync(join(p.dir, 'ask.js'), program);
  return inside(p.dir, '/opt/sbx/bin/node ask.js', [name]);
}

describe('[git] sign', () => {
  test('asks for approval with the key', async () => {
    const refused = await sbx(['apply', '--yes'], { cwd: p.dir, env });
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining(`signed with your key ${key}`) });
    await must(['apply', '--accept-widening'], { cwd: p.dir, env });
  });

  test('a commit inside is signed, and git of the host verifies it; the log has the use', async () => {
    expect(await commit('first')).toMatchObject({ code: 0 });
    expect(await verified()).toBe('first');
    const log = await netLog(p.dir, ['signs']);
    expect(log).toContainEqual(
      expect.objectContaining({
        verdict: 'allow',
        host: 'git.sign.host.sbx',
        detail: expect.stringMatching(/^signs for git sha512:[0-9a-f]{128} by SHA256:/),
      }),
    );
  });

  test('the private key and the agent are not inside', async () => {
    const line = readFileSync(join(agent.dir, 'mine'), 'utf8').split('\n')[1] ?? '';
    const lookFor = (text: string) =>
      inside(p.dir, `sudo grep -rlF -- '${text}' /run /etc /home /root /tmp '${p.dir}' 2>/dev/null || true`, ['signs']);
    expect(line.length).toBeGreaterThan(20);
    expect(await lookFor(line)).toBe('');
    // What is inside is found in this way.
    expect(await lookFor(key)).toContain('/etc/sbx.gitconfig');
    expect(await inside(p.dir, 'echo "[$SSH_AUTH_SOCK]"', ['signs'])).toBe('[]');
  });

  test('a program inside gets a signature for git, none for a login, and none in a sandbox without it', async () => {
    // 14: a signature; 5: a failure. The four bytes before are the length.
    expect((await ask('signs', signedData('git'))).slice(8, 10)).toBe('0e');
    expect((await ask('signs', login(key))).slice(8, 10)).toBe('05');
    expect((await ask('signs', signedData('file'))).slice(8, 10)).toBe('05');
    expect(await ask('plain', signedData('git'))).toMatch(/^HTTP\/1.1 403 Forbidden by sbx: git.sign.host.sbx:22/);
    const denied = (await netLog(p.dir, ['signs'])).filter(({ verdict }) => verdict === 'deny');
    expect(denied.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/a login/),
      expect.stringMatching(/namespace "file"/),
    ]);
  });

  test('a suspended sandbox, and one whose daemon was killed, sign again', async () => {
    await must(['suspend', 'signs'], { cwd: p.dir });
    await must(['start', 'signs'], { cwd: p.dir });
    expect(await commit('resumed')).toMatchObject({ code: 0 });
    killDaemon();
    await must(['ls'], { cwd: p.dir, env });
    expect(await commit('later')).toMatchObject({ code: 0 });
    expect(await verified()).toBe('later');
  });

  test('without the agent git says why and what to do; the next one signs', async () => {
    await agent.stop();
    const failed = await commit('unsigned');
    expect(failed).toMatchObject({
      code: 128,
      stderr: expect.stringMatching(
        /sbx: the commit was not signed: .*ssh agent of the host does not answer: start one/,
      ),
    });
    const { notices } = await json<{ notices: { message: string }[] }>(['plan'], { cwd: p.dir, env });
    expect(notices.map(({ message }) => message)).toContainEqual(expect.stringMatching(/cannot be signed/));
    await using next = await startAgent();
    next.run('ssh-add', ['-q', join(agent.dir, 'mine')]);
    await must(['ls'], { cwd: p.dir, env: { ...env, SSH_AUTH_SOCK: next.socket } });
    expect(await commit('again')).toMatchObject({ code: 0 });
    return await expect(verified()).resolves.toBe('again');
  });
});
