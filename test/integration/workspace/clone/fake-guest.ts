/** A guest that is a folder of this machine: its commands run here, with its own marker of a finished clone. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CloneGuest } from '../../../../lib/workspace/clone/guest.ts';

export interface World extends Disposable {
  dir: string;
  /** The host's repository, with one commit */
  repo: string;
  /** Where the guest's clone goes */
  target: string;
  guest: CloneGuest;
  /** Replaces the answer of the guest to a fetch */
  answerWith: (script: string | undefined) => void;
}

const IDENTITY = ['-c', 'user.name=t', '-c', 'user.email=t@t'];

export function run(cwd: string, ...args: string[]): string {
  return execFileSync('git', [...IDENTITY, '-c', 'protocol.file.allow=always', ...args], { cwd, stdio: 'pipe' })
    .toString()
    .trim();
}

export function commit(cwd: string, files: Record<string, string>, message = 'change'): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(cwd, name, '..'), { recursive: true });
    writeFileSync(join(cwd, name), text);
  }
  run(cwd, 'add', '-A', '-f');
  run(cwd, 'commit', '-q', '-m', message);
  return run(cwd, 'rev-parse', 'HEAD');
}

export function world(): World {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-clone-')));
  const [repo, target, bin] = [join(dir, 'repo'), join(dir, 'guest'), join(dir, 'bin')];
  for (const folder of [repo, bin]) mkdirSync(folder);
  writeFileSync(join(bin, 'chown'), '#!/bin/sh\nexit 0\n');
  chmodSync(join(bin, 'chown'), 0o755);
  run(repo, 'init', '-q', '-b', 'main');
  commit(repo, { 'a.txt': 'one\n' }, 'first');
  let answer: string | undefined;
  const guest: CloneGuest = {
    exec({ argv, cwd }) {
      const own = argv.map((one) => one.replaceAll('/var/lib/sbx-clone-ready', join(dir, 'ready')));
      if (answer !== undefined && own[2]?.includes('pack-objects')) own[2] = answer;
      const [file = '', ...args] = own;
      const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: dir };
      const child = spawn(file, args, { cwd, env, stdio: 'pipe' });
      const exit = new Promise<{ code: number }>((resolve) =>
        child.once('close', (code) => resolve({ code: code ?? 1 })),
      );
      return Object.assign(child, {
        exit,
        async [Symbol.asyncDispose]() {
          child.kill('SIGKILL');
        },
      }) as unknown as ReturnType<CloneGuest['exec']>;
    },
  };
  return {
    dir,
    repo,
    target,
    guest,
    answerWith: (script) => {
      answer = script;
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
