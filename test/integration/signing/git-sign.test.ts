/** The program of a guest's git, through a real egress proxy: commits that a host's git verifies. */
import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { signerRule } from '../../../lib/gateway/policy/services.ts';
import { createDialer } from '../../../lib/gateway/upstream/dial.ts';
import SCRIPT from '../../../lib/guest/setup/git-sign.pl';
import { HostAgents } from '../../../lib/signing/host-agents.ts';
import { openSigner } from '../../../lib/signing/signer.ts';
import { type Rig, startRig } from '../gateway/rig.ts';
import { type RealAgent, startAgent } from './real-agent.ts';

const run = promisify(execFile);

let agent: RealAgent;
let rig: Rig;
let entry: Server;
let closeSigner: () => Promise<void>;
let repository = '';

async function start(allowed: boolean): Promise<void> {
  const signerSocket = join(agent.dir, 'signer');
  closeSigner = await openSigner({
    socketPath: signerSocket,
    key: () => agent.run('cat', ['mine.pub']).split(' ').slice(0, 2).join(' '),
    agents: new HostAgents({ SSH_AUTH_SOCK: agent.socket }),
    turn: () => undefined,
    record: ({ verdict, detail }) =>
      rig.listener.record({ verdict, reason: 'rule', detail, host: 'git.sign.host.sbx', port: 22 }),
  });
  rig = await startRig({
    policy: { allow: allowed ? [signerRule('default')] : [], deny: [] },
    dialer: () => createDialer(),
    signerSocket,
  });
  // As the guest's network card does it
  entry = createServer((socket) => {
    const proxy = connect(rig.socketPath);
    for (const [one, other] of [[socket, proxy] as const, [proxy, socket] as const])
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    socket.pipe(proxy).pipe(socket);
  });
  await new Promise<void>((resolve) => entry.listen(0, '127.0.0.1', resolve));
  const program = join(agent.dir, 'git-sign.pl');
  const { port } = entry.address() as AddressInfo;
  writeFileSync(
    program,
    `#!/usr/bin/perl\n${SCRIPT.replace("('10.0.2.100', 3128)", `('127.0.0.1', ${port})`).replace("'/opt/sbx/bin/busybox', ", '')}`,
  );
  chmodSync(program, 0o755);
}

const git = (...args: string[]) =>
  run('git', ['-C', repository, ...args], { env: { ...process.env, HOME: agent.dir } });

beforeEach(async () => {
  agent = await startAgent();
  repository = join(agent.dir, 'repository');
  await run('git', ['init', '-q', '-b', 'main', repository]);
});
afterEach(async () => {
  entry.close();
  await closeSigner();
  await rig[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
});

async function configure(key: string): Promise<void> {
  const values = {
    'user.name': 'me',
    'user.email': 'me@localhost',
    'gpg.format': 'ssh',
    'gpg.ssh.program': join(agent.dir, 'git-sign.pl'),
    'user.signingKey': key.startsWith('ssh-') ? key : `key::${key}`,
    'commit.gpgSign': 'true',
  };
  for (const [name, value] of Object.entries(values)) await git('config', name, value);
}

/** By ssh-keygen of the host */
async function verifies(key: string, what: string[]): Promise<void> {
  writeFileSync(join(agent.dir, 'signers'), `me@localhost ${key}\n`);
  await git(
    '-c',
    `gpg.ssh.allowedSignersFile=${join(agent.dir, 'signers')}`,
    '-c',
    'gpg.ssh.program=ssh-keygen',
    ...what,
  );
}

describe('git in a guest', () => {
  test.each(['ed25519', 'rsa', 'ecdsa'])('signs commits and tags with a key of the type %s', async (type) => {
    const key = agent.key('mine', { type });
    await start(true);
    await configure(key);
    await git('commit', '-q', '--allow-empty', '-m', 'first');
    await git('tag', '-s', '-m', 'one', 'v1');
    await verifies(key, ['verify-commit', 'HEAD']);
    await verifies(key, ['verify-tag', 'v1']);
    const details = rig.records().flatMap(({ verdict, detail }) => (verdict === 'allow' && detail ? [detail] : []));
    expect(details).toEqual([
      expect.stringMatching(/^signs for git sha512:/),
      expect.stringMatching(/^signs for git sha512:/),
    ]);
    const other = agent.key('other');
    await expect(verifies(other, ['verify-commit', 'HEAD'])).rejects.toThrow();
  });

  test('says why nothing was signed, and what to do', async () => {
    await start(true);
    await configure(agent.key('mine', { add: false }));
    const failed = git('commit', '-q', '--allow-empty', '-m', 'first');
    await expect(failed).rejects.toThrow(/sbx: the commit was not signed: .* does not have the key SHA256:\S+: add it/);
  });

  test('says that it is not allowed, where the file does not', async () => {
    const key = agent.key('mine');
    await start(false);
    await configure(key);
    const failed = git('commit', '-q', '--allow-empty', '-m', 'first');
    await expect(failed).rejects.toThrow(/git.sign.host.sbx:22 is denied: [\s\S]*set sign = true under \[git\]/);
    expect(rig.records()).toMatchObject([{ verdict: 'deny', reason: 'default-deny' }]);
  });
});
