/** The agent that a sandbox sees, with a real ssh-agent behind it and clients of OpenSSH before it. */
import { spawn, spawnSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FilterEnforcement } from '../../../lib/signing/filter.ts';
import { HostAgents } from '../../../lib/signing/host-agents.ts';
import { readMessages } from '../../../lib/signing/messages.ts';
import { blobOf } from '../../../lib/signing/public-key.ts';
import { openSigner, type SignerUse } from '../../../lib/signing/signer.ts';
import { Fields, frame, MESSAGE, sshString, uint32 } from '../../../lib/signing/wire.ts';
import { login, signedData } from '../../unit/signing/data.ts';
import { type RealAgent, startAgent } from './real-agent.ts';

let agent: RealAgent;
let key = '';
let uses: SignerUse[] = [];
const opened: (() => Promise<void>)[] = [];
beforeEach(async () => {
  agent = await startAgent();
  key = agent.key('mine');
  uses = [];
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
  await agent[Symbol.asyncDispose]();
});

interface Opening {
  agents?: HostAgents;
  off?: Partial<FilterEnforcement>;
  record?: (use: SignerUse) => boolean;
  turn?: () => Promise<void> | undefined;
}

const agents = () => new HostAgents({ SSH_AUTH_SOCK: agent.socket });

async function open({ agents: known = agents(), off = {}, record, turn = () => undefined }: Opening = {}) {
  const socketPath = join(agent.dir, 'signer');
  const keep = (use: SignerUse) => uses.push(use) > 0;
  const close = await openSigner({
    socketPath,
    key: () => key,
    agents: known,
    turn,
    record: record ?? keep,
    enforcement: off,
  });
  opened.push(close);
  return socketPath;
}

/** A program of OpenSSH with the signer as its agent. It must not block this process, which serves it. */
function client(socketPath: string, command: string, args: string[]): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, SSH_AUTH_SOCK: socketPath };
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += String(chunk);
      });
    child.once('close', (code) => resolve({ code, output }));
  });
}

async function ask(socketPath: string, bytes: Buffer): Promise<{ type: number; text: string; bytes: Buffer }> {
  const socket = connect(socketPath);
  socket.write(bytes);
  try {
    for await (const message of readMessages(socket)) {
      const text = new Fields(message.subarray(1)).string() ?? Buffer.alloc(0);
      return { type: message[0] ?? 0, text: text.toString('utf8'), bytes: text };
    }
    return { type: 0, text: '', bytes: Buffer.alloc(0) };
  } finally {
    socket.destroy();
  }
}

const request = (data: Buffer, by = key) =>
  frame(MESSAGE.signRequest, sshString(blobOf(by)), sshString(data), uint32(0));
const signing = (socketPath: string, namespace: string, name = 'mine') => {
  writeFileSync(join(agent.dir, 'text'), 'tree 1\n');
  // The public key alone: the private one is taken from its file otherwise.
  const pub = join(agent.dir, `public-${name}`);
  writeFileSync(pub, agent.run('cat', [`${name}.pub`]));
  return client(socketPath, 'ssh-keygen', ['-Y', 'sign', '-U', '-n', namespace, '-f', pub, join(agent.dir, 'text')]);
};
const verified = (namespace: string) => {
  writeFileSync(join(agent.dir, 'signers'), `me ${key}\n`);
  const args = ['-Y', 'verify', '-f', 'signers', '-I', 'me', '-n', namespace, '-s', 'text.sig'];
  return spawnSync('ssh-keygen', args, { cwd: agent.dir, input: 'tree 1\n' }).status === 0;
};
/** Whether the signature of the agent is one of the key over these bytes. */
function isSignature(signature: Buffer, data: Buffer): boolean {
  const fields = new Fields(signature);
  fields.string();
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), blobOf(key).subarray(-32)]);
  return verify(null, data, createPublicKey({ key: der, format: 'der', type: 'spki' }), fields.string() ?? data);
}

describe('clients of OpenSSH', () => {
  test.each(['ed25519', 'rsa', 'ecdsa'])('sign for git by a key of the type %s; each use is recorded', async (type) => {
    key = agent.key(`the-${type}`, { type });
    expect(await signing(await open(), 'git', `the-${type}`)).toMatchObject({ code: 0 });
    expect(verified('git')).toBe(true);
    expect(uses).toEqual([
      { verdict: 'allow', detail: expect.stringMatching(/^signs for git sha512:[0-9a-f]{128} by SHA256:\S{43}$/) },
    ]);
  });

  test('see the approved key alone, and can add, remove and lock nothing', async () => {
    agent.key('other');
    const socketPath = await open();
    const { output } = await client(socketPath, 'ssh-add', ['-L']);
    expect(output).toBe(`${key} sbx\n`);
    expect(agent.run('ssh-add', ['-L']).trim().split('\n')).toHaveLength(2);
    expect(await client(socketPath, 'ssh-add', ['-D'])).not.toMatchObject({ code: 0 });
    expect(await client(socketPath, 'ssh-add', [join(agent.dir, 'other')])).not.toMatchObject({ code: 0 });
    expect(agent.run('ssh-add', ['-L']).trim().split('\n')).toHaveLength(2);
    expect(uses.map(({ verdict }) => verdict)).not.toContain('allow');
    expect(uses.length).toBeGreaterThan(1);
  });
});

describe('a guest gets no signature', () => {
  test('for a login, and would without the control', async () => {
    const challenge = login(key);
    const denied = await ask(await open(), request(challenge));
    expect(denied).toMatchObject({ type: MESSAGE.failure, text: expect.stringMatching(/for a login/) });
    expect(uses).toEqual([{ verdict: 'deny', detail: expect.stringMatching(/for a login/) }]);
    const signed = await ask(await open({ off: { form: false } }), request(challenge));
    expect(signed.type).toBe(MESSAGE.signResponse);
    expect(isSignature(signed.bytes, challenge)).toBe(true);
  });

  test('for another namespace, and would without the control', async () => {
    expect(await signing(await open(), 'file')).not.toMatchObject({ code: 0 });
    expect(uses).toEqual([{ verdict: 'deny', detail: expect.stringMatching(/the namespace "file"/) }]);
    expect(await signing(await open({ off: { namespace: false } }), 'file')).toMatchObject({ code: 0 });
    expect(verified('file')).toBe(true);
  });

  test('by another key of the agent: with the control off, it is by the approved one', async () => {
    const other = agent.key('other');
    const data = signedData('git');
    expect(await ask(await open(), request(data, other))).toMatchObject({ type: MESSAGE.failure });
    const signed = await ask(await open({ off: { key: false } }), request(data, other));
    expect(isSignature(signed.bytes, data)).toBe(true);
  });

  test('that is not in the log', async () => {
    const answer = await ask(await open({ record: () => false }), request(signedData('git')));
    expect(answer).toMatchObject({ type: MESSAGE.failure, text: expect.stringMatching(/audit log/) });
    expect(await ask(await open(), request(signedData('git')))).toMatchObject({ type: MESSAGE.signResponse });
  });
});

describe('bounds', () => {
  test.each([
    ['too long', uint32(8 * 1024 + 1)],
    ['of gigabytes', uint32(0xffff_ffff)],
    ['empty', uint32(0)],
  ])('a message that is %s ends the connection', async (_, head) => {
    expect(await ask(await open(), Buffer.concat([head, Buffer.alloc(64)]))).toMatchObject({ type: 0 });
    expect(uses).toMatchObject([{ verdict: 'deny' }]);
  });

  test('more than 8 connections at once are refused; those before them go on', async () => {
    const socketPath = await open();
    const held: Socket[] = [];
    for (let count = 0; count < 8; count += 1) {
      const socket = connect(socketPath);
      await new Promise((resolve) => socket.once('connect', resolve));
      held.push(socket);
    }
    expect(await ask(socketPath, frame(MESSAGE.requestIdentities))).toMatchObject({ type: MESSAGE.failure });
    held.pop()?.destroy();
    await expect
      .poll(() => ask(socketPath, frame(MESSAGE.requestIdentities)))
      .toMatchObject({ type: MESSAGE.identities });
    for (const socket of held) socket.destroy();
  });

  test('each request waits for its turn', async () => {
    let turns = 0;
    let go = () => {};
    const socketPath = await open({
      turn: () => {
        turns += 1;
        return new Promise((resolve) => {
          go = resolve;
        });
      },
    });
    const asked = ask(socketPath, request(signedData('git')));
    await expect.poll(() => turns).toBe(1);
    expect(uses).toEqual([]);
    go();
    expect(await asked).toMatchObject({ type: MESSAGE.signResponse });
  });
});

describe('the reason is in the answer, and in the log', () => {
  const failing = async (known: HostAgents, why: RegExp) => {
    const answer = await ask(await open({ agents: known }), request(signedData('git')));
    expect(answer).toMatchObject({ type: MESSAGE.failure, text: expect.stringMatching(why) });
    expect(uses.at(-1)).toEqual({ verdict: 'error', detail: expect.stringMatching(why) });
    expect(answer.text).not.toContain(agent.dir);
  };

  test('no agent is known', () => failing(new HostAgents({}), /no ssh agent of the host is known: start one/));

  test('the agent is gone', async () => {
    await agent.stop();
    await failing(agents(), /does not answer: start one/);
  });

  test('it does not have the key', async () => {
    key = agent.key('absent', { add: false });
    await failing(agents(), /does not have the key SHA256:\S+: add it with ssh-add/);
  });

  test('its user declines', async () => {
    key = agent.key('confirmed', { confirm: true });
    await failing(agents(), /refused: it may be locked, or its user declined/);
  });
});

describe('the agents of the host', () => {
  test('the latest one with the key signs; an ended login leaves the earlier one', async () => {
    const known = agents();
    known.note(join(agent.dir, 'gone'));
    known.note('relative');
    expect(await known.problemOf(key)).toBeUndefined();
    expect(isSignature(await known.sign({ key, data: Buffer.from('x'), flags: 0 }), Buffer.from('x'))).toBe(true);
  });

  test('an agent by a link that follows the login', async () => {
    symlinkSync(agent.socket, join(agent.dir, 'link'));
    expect(await new HostAgents({ SSH_AUTH_SOCK: join(agent.dir, 'link') }).problemOf(key)).toBeUndefined();
  });
});
