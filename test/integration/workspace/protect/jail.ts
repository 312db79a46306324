/** A workspace on the disk, and a shell in the product's own jail in QEMU's place. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { JailMount } from '../../../../lib/system/jail-mount.ts';
import { buildJailArgs } from '../../../../lib/vm/qemu/jail.ts';
import { type PreparedWorkspace, prepareWorkspace, type WorkspaceRequest } from '../../../../lib/workspace/prepare.ts';
import { removeMountStubs } from '../../../../lib/workspace/protect/mount-stubs.ts';

const GIT_ENV = {
  PATH: process.env['PATH'],
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.test',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.test',
};

export interface Workspace {
  home: string;
  path: string;
  /** Writes files, with their folders */
  write(files: Record<string, string>): void;
  read(path: string): string | undefined;
  git(...args: string[]): string;
  /** As an instance of that name would */
  prepare(wishes?: Partial<WorkspaceRequest>, instance?: string): Promise<PreparedWorkspace>;
  release(instance?: string, others?: string[]): void;
}

export function makeWorkspace(): Workspace {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-workspace-')));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const path = join(home, 'shop');
  mkdirSync(path);
  const record = (instance: string) => join(home, 'state/instances', instance, 'mount-stubs.json');
  return {
    home,
    path,
    write: (files) => {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), content);
      }
    },
    read: (name) => {
      try {
        return readFileSync(join(path, name), 'utf8');
      } catch {
        return undefined;
      }
    },
    git: (...args) => execFileSync('git', ['-C', path, ...args], { env: GIT_ENV, encoding: 'utf8', stdio: 'pipe' }),
    prepare: (wishes = {}, instance = 'one') => {
      mkdirSync(dirname(record(instance)), { recursive: true });
      return prepareWorkspace({
        path,
        hide: [],
        readonly: [],
        unprotect: [],
        mounts: [],
        mountStubRecord: record(instance),
        forbidden: [join(home, 'state')],
        ...wishes,
      });
    },
    release: (instance = 'one', others = []) => removeMountStubs(record(instance), others.map(record)),
  };
}

export interface JailResult {
  code: number | null;
  output: string;
}

export interface RunningJail extends AsyncDisposable {
  /** Of a process inside, as the host sees it */
  pid: number;
  ended: Promise<JailResult>;
  child: ChildProcess;
  /** What it has written so far */
  output: () => string;
}

/** Runs a script where QEMU would run, in the exported workspace. */
export async function inJail(workspace: Workspace, mounts: JailMount[], script: string): Promise<JailResult> {
  await using jail = await startJail(workspace, mounts, script);
  return await jail.ended;
}

export async function startJail(workspace: Workspace, mounts: JailMount[], script: string): Promise<RunningJail> {
  const place = (name: string) => join(workspace.home, 'jail', name);
  for (const name of ['run', 'egress', 'empty']) mkdirSync(place(name), { recursive: true });
  writeFileSync(place('console'), '');
  const args = buildJailArgs({
    run: place('run'),
    egress: place('egress'),
    console: place('console'),
    readFiles: [],
    writeFiles: [],
    state: undefined,
    stateWritable: false,
    mounts,
    kvm: false,
    emptyDir: place('empty'),
    infoFd: 3,
  });
  const git = Object.entries(GIT_ENV).filter(([name]) => name !== 'PATH');
  const env = git.flatMap(([name, value]) => ['--setenv', name, value ?? '']);
  const separator = args.lastIndexOf('--');
  const all = [...args.slice(0, separator), ...env, '--die-with-parent', '--', 'sh', '-c', `cd /export/ws; ${script}`];
  const child = spawn('bwrap', all, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const ended = new Promise<JailResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
  const pid = await new Promise<number>((resolve, reject) => {
    child.stdio[3]?.once('data', (chunk: Buffer) => resolve(Number(/"child-pid": (\d+)/.exec(chunk.toString())?.[1])));
    ended.then(({ output: text }) => reject(new Error(`the jail did not start: ${text}`)), reject);
  });
  return {
    pid,
    child,
    ended,
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      child.stdin?.destroy();
      child.kill('SIGKILL');
      await ended;
    },
  };
}
