/** Runs git on the host with everything switched off by which a repository's files could make it run a program or reach a network. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SbxError } from '../../errors.ts';
import { toolMissing } from '../../system/tool-path.ts';
import { shownText } from './shown-text.ts';

export interface GitOptions {
  /** Sent to stdin; default: nothing */
  input?: Readable | string;
  /** Receives stdout while git runs; default: it is collected */
  onOutput?: (output: Readable) => Promise<unknown>;
  /** Most bytes of stdout that are collected */
  limitBytes?: number;
  signal?: AbortSignal | undefined;
  /** For tests of these switches only: git as it comes */
  unsafe?: boolean;
}

interface GitResult {
  code: number;
  stdout: string;
  /** Safe to show */
  stderr: string;
}

const SWITCHES = {
  'core.fsmonitor': 'false',
  'core.hooksPath': '/dev/null',
  // Run through a shell for each alternate of a repository.
  'core.alternateRefsCommand': ':',
  'core.attributesFile': '/dev/null',
  'core.pager': 'cat',
  'core.sshCommand': 'false',
  'credential.helper': '',
  'diff.external': '',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'protocol.allow': 'never',
  // Larger files are streamed instead of held in memory.
  'core.bigFileThreshold': '32m',
  'pack.threads': '1',
};

const COLLECTED_MAX = 64 * 1024 * 1024;
const STDERR_MAX = 4096;
/** A delta may claim any size, and checking may take any time: bytes of address space, seconds of CPU */
const BOUNDS = ['--as=8589934592', '--cpu=900'];

/** @throws SbxError `workspace` when git fails, with its last words */
export async function git(args: string[], options: GitOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryGit(args, options);
  if (code === 0) return stdout;
  throw new SbxError('workspace', `git ${args.find((one) => /^[a-z]/.test(one)) ?? ''} failed`, {
    why: stderr || `exit code ${code}`,
  });
}

/** For a git whose exit code is an answer. @throws SbxError `tool-missing`, `workspace`: too much output */
export async function tryGit(args: string[], options: GitOptions = {}): Promise<GitResult> {
  const switches =
    options.unsafe === true ? [] : Object.entries(SWITCHES).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const child = spawn('prlimit', [...BOUNDS, '--', 'git', '--no-pager', ...switches, ...args], {
    env: environment(options.unsafe === true),
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', (error) =>
      reject('code' in error && error.code === 'ENOENT' ? toolMissing('prlimit', error) : error),
    );
    child.once('close', (code) => resolve(code ?? 128));
  });
  exit.catch(() => {});
  const limit = options.limitBytes ?? COLLECTED_MAX;
  const work = Promise.all([
    send(child.stdin, options.input ?? ''),
    options.onOutput?.(child.stdout) ?? collect(child.stdout, limit),
    lastWords(child.stderr),
  ]);
  try {
    const [, stdout, stderr] = await work;
    return { code: await exit, stdout: typeof stdout === 'string' ? stdout : '', stderr };
  } catch (error) {
    child.kill('SIGKILL');
    await exit;
    throw error;
  }
}

/** Input of `--stdin` and `--revs`: a commit without what the host has. Git 2.39 takes no `--not` there. Pure. */
export function withoutBase(commit: string, base: string[]): string {
  return [commit, ...base.map((id) => `^${id}`), ''].join('\n');
}

function environment(unsafe: boolean): NodeJS.ProcessEnv {
  const base = { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C' };
  if (unsafe) return base;
  return {
    ...base,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_ALLOW_PROTOCOL: '',
    GIT_EDITOR: 'false',
  };
}

/** A git that ends before it has read everything says why by its exit code. */
async function send(stdin: NodeJS.WritableStream, input: Readable | string): Promise<void> {
  if (typeof input === 'string') {
    stdin.on('error', () => {});
    stdin.end(input);
    return;
  }
  let failure: unknown;
  input.once('error', (error) => {
    failure = error;
  });
  await pipeline(input, stdin).catch(() => {});
  if (
    failure !== undefined &&
    (failure as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE' &&
    (failure as NodeJS.ErrnoException).code !== 'EPIPE'
  )
    throw failure;
}

async function collect(output: Readable, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of output as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new SbxError('workspace', 'git wrote too much', { why: `more than ${limit} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function lastWords(output: Readable): Promise<string> {
  let text = '';
  for await (const chunk of output as AsyncIterable<Buffer>) text = (text + chunk.toString()).slice(-STDERR_MAX);
  return shownText(text.trim());
}
