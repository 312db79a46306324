/** Drives the built command line with real VMs and a separate state folder. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AuditRecord } from '../../lib/gateway/policy/types.ts';
import { readHolder } from '../../lib/system/file-lock.ts';

export const SBX = fileURLToPath(new URL('../../bin/sbx', import.meta.url));

/** Layers are kept between runs: they are found again by their keys, or built. */
export const HOME = process.env['SBX_TEST_HOME'] ?? join(homedir(), '.cache', 'sbx-test');

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CallOptions {
  cwd: string;
  input?: string | Buffer;
  env?: Record<string, string>;
  /** Called once the process runs */
  onStart?: (child: import('node:child_process').ChildProcess) => void;
  /** For what may never answer: it is killed then */
  endAfterMs?: number;
}

export function sbx(args: string[], options: CallOptions): Promise<Result> {
  mkdirSync(HOME, { recursive: true, mode: 0o700 });
  const child = spawn(SBX, args, {
    cwd: options.cwd,
    env: { ...process.env, SBX_HOME: HOME, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    ...(options.endAfterMs === undefined ? {} : { timeout: options.endAfterMs }),
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  child.stderr.on('data', (chunk) => err.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  options.onStart?.(child);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({
        code: code ?? (signal === 'SIGKILL' ? 137 : 143),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}

/** Fails with everything that was said. */
export async function must(args: string[], options: CallOptions): Promise<Result> {
  const result = await sbx(args, options);
  if (result.code !== 0) throw new Error(`sbx ${args.join(' ')} → ${result.code}\n${result.stdout}\n${result.stderr}`);
  return result;
}

export async function json<T>(args: string[], options: CallOptions): Promise<T> {
  return JSON.parse((await must([...args, '--json'], options)).stdout) as T;
}

/** What the gateway has written down, as `sbx net log` gives it. */
export async function netLog(cwd: string, options: string[] = []): Promise<AuditRecord[]> {
  const { stdout } = await must(['net', 'log', '--json', ...options], { cwd });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditRecord);
}

/** A command inside; its output without the last line feed. */
export async function inside(cwd: string, script: string, name: string[] = []): Promise<string> {
  return (await must(['exec', ...name, '--', 'sh', '-c', script], { cwd })).stdout.replace(/\n$/, '');
}

export interface Project extends AsyncDisposable {
  dir: string;
  /** Replaces sandbox.toml */
  write(toml: string): void;
}

/** Small machines: several run at once on two cores. */
export const SMALL = '[resources]\nmemory = "512MiB"\ncpus = 1\n';

/** One of those, with nothing but a shell */
export const SHELL = `version = 1\nagent = "shell"\n${SMALL}`;

export function project(name: string, toml: string): Project {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), `sbx-${name}-`)));
  const write = (text: string) => writeFileSync(join(dir, 'sandbox.toml'), text);
  write(toml);
  return {
    dir,
    write,
    async [Symbol.asyncDispose]() {
      await sbx(['rm', '--all', '--yes', '--discard', '--kept'], { cwd: dir });
      // A test may leave folders inside that their owner cannot read.
      execFileSync('chmod', ['-R', 'u+rwX', dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface Status {
  id: string;
  name: string;
  state: string;
  pid: number | null;
  snapshot: string | null;
  conditions: { type: string; status: boolean; reason: string; message: string }[];
}

export async function statusOf(dir: string, name?: string): Promise<Status> {
  const detail = await json<Status>(name === undefined ? ['inspect'] : ['inspect', name], { cwd: dir });
  return detail;
}

/** Looks again until it holds; the test's own time limit ends the waiting. */
export async function until<T>(look: () => Promise<T | undefined | false>, pauseMs = 200): Promise<T> {
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

export function daemonPid(): number | undefined {
  return readHolder(join(HOME, 'daemon', 'lock'))?.pid;
}

export function killDaemon(): void {
  const pid = daemonPid();
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}

/** Processes whose command line holds the text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** QEMU's own process of a sandbox. */
export function qemuPid(id: string): number {
  const [found] = qemusOf(id);
  if (found === undefined) throw new Error(`no QEMU of ${id}`);
  return found;
}

export function qemusOf(id: string): number[] {
  return qemusBelow(join(HOME, 'instances', id));
}

/** Of every machine whose folder begins so: the jail's processes share QEMU's marker. */
export function qemusBelow(folder: string): number[] {
  return processesWith(`sbx-vm:${folder}`).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu');
    } catch {
      return false;
    }
  });
}
