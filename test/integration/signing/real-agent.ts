/** A real ssh-agent with real keys. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { publicKeyOf } from '../../../lib/signing/public-key.ts';

export interface RealAgent extends AsyncDisposable {
  dir: string;
  socket: string;
  /** Makes a key of this type and adds it, unless `add` is false. @returns its public key */
  key(name: string, options?: { type?: string; add?: boolean; confirm?: boolean }): string;
  run(command: string, args: string[], input?: string): string;
  stop(): Promise<void>;
}

export async function startAgent(): Promise<RealAgent> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-agent-'));
  const socket = join(dir, 'agent');
  // It asks by a program that says no, whenever a key needs a confirmation.
  const env = { ...process.env, SSH_AUTH_SOCK: socket, SSH_ASKPASS: '/bin/false', SSH_ASKPASS_REQUIRE: 'force' };
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore', env });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  while (!existsSync(socket)) await sleep(10);
  const run = (command: string, args: string[], input = '') =>
    execFileSync(command, args, { env, input, stdio: ['pipe', 'pipe', 'pipe'], encoding: 'utf8', cwd: dir });
  const stop = async () => {
    child.kill();
    await ended;
  };
  return {
    dir,
    socket,
    run,
    stop,
    key(name, { type = 'ed25519', add = true, confirm = false } = {}) {
      const file = join(dir, name);
      run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', name, '-f', file]);
      if (add) run('ssh-add', ['-q', ...(confirm ? ['-c'] : []), file]);
      return publicKeyOf(readFileSync(`${file}.pub`, 'utf8')) ?? '';
    },
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
