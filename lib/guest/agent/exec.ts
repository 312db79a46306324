/** Commands: each in a process group of its own, which ends with its stream. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as os } from 'node:os';
import type { MuxStream, StreamEvents } from '../mux.ts';
import { CHANNEL, type ExecControl, type ExecRequest } from '../services.ts';

interface User {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}

/** After the command has ended, a background process of its may hold its output open: then this long without a byte ends the stream. */
const LINGER_MS = 200;
const LINGER_ROUNDS = 20;
const KILL_AFTER_MS = 2_000;

export function exec(stream: MuxStream, request: ExecRequest, base: Record<string, string>): StreamEvents {
  const user = findUser(request.user ?? 'agent');
  if (user === undefined) return refused(stream, 126, `no such user in the sandbox: ${request.user ?? 'agent'}`);
  const env: Record<string, string> = {
    ...base,
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    SHELL: user.shell,
    ...request.env,
  };
  const cwd = request.cwd ?? user.home;
  const problem = startProblem(request.argv[0] ?? '', cwd, env['PATH'] ?? '');
  if (problem !== undefined) return refused(stream, problem.code, problem.message);
  try {
    return (request.tty === undefined ? plain : terminal)(stream, request, user, env, cwd);
  } catch (error) {
    // A command line that is too long, for example.
    return refused(stream, 126, error instanceof Error ? error.message : String(error));
  }
}

function refused(stream: MuxStream, code: number, message: string): StreamEvents {
  void stream.send(CHANNEL.stderr, Buffer.from(`sbx: ${message}\n`)).then(() => stream.close({ code }));
  return {
    onData: (_channel, _data, taken) => taken(),
    onEnd: () => {},
    onControl: () => {},
    onClose: () => {},
    onReset: () => {},
  };
}

function plain(
  stream: MuxStream,
  request: ExecRequest,
  user: User,
  env: Record<string, string>,
  cwd: string,
): StreamEvents {
  const [file = '', ...args] = request.argv;
  const child = spawn(file, args, {
    cwd,
    env,
    uid: user.uid,
    gid: user.gid,
    detached: true,
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const activity = { last: Date.now(), pending: 0 };
  forwardOutput(child.stdout, CHANNEL.stdout, stream, activity);
  forwardOutput(child.stderr, CHANNEL.stderr, stream, activity);
  child.stdin?.on('error', () => {});
  let failed: string | undefined;
  child.once('error', (error) => {
    failed = error.message;
    void stream.send(CHANNEL.stderr, Buffer.from(`sbx: ${error.message}\n`)).then(() => stream.close({ code: 126 }));
  });
  child.once('exit', (code, signal) => {
    void drained(child, activity).then(() => {
      if (failed === undefined) stream.close(resultOf(code, signal));
    });
  });
  return {
    onData: (_channel, data, taken) => {
      if (child.stdin === null || child.stdin.destroyed || child.stdin.writableEnded) return taken();
      child.stdin.write(data, () => taken());
    },
    onEnd: () => void child.stdin?.end(),
    onControl: (message) => {
      const control = message as ExecControl;
      if ('signal' in control) signalGroup(child.pid, control.signal as NodeJS.Signals);
    },
    onClose: () => {},
    onReset: () => endGroup(child.pid),
  };
}

function forwardOutput(
  output: NodeJS.ReadableStream | null,
  channel: number,
  stream: MuxStream,
  activity: { last: number; pending: number },
): void {
  // One after another: Node resumes a paused output by itself when the process ends.
  let sending = Promise.resolve();
  output?.on('data', (data: Buffer) => {
    output.pause();
    activity.pending += 1;
    sending = sending
      .then(() => stream.send(channel, data))
      .then(() => {
        activity.pending -= 1;
        activity.last = Date.now();
        output.resume();
      });
  });
}

async function drained(child: ChildProcess, activity: { last: number; pending: number }): Promise<void> {
  let closed = child.stdout?.readableEnded === true && child.stderr?.readableEnded === true;
  child.once('close', () => {
    closed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  const since = Date.now();
  // Rounds count beside the time: when the machine is busy, time passes without a look at the pipes.
  for (let rounds = 0, seen = activity.last; ; rounds += 1) {
    if (activity.pending > 0 || activity.last !== seen) rounds = 0;
    seen = activity.last;
    const quiet = rounds > LINGER_ROUNDS && Date.now() - Math.max(seen, since) >= LINGER_MS;
    if (activity.pending === 0 && (closed || quiet)) return;
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

interface Pty {
  pid: number;
  onData(listener: (data: Buffer | string) => void): void;
  onExit(listener: (event: { exitCode: number; signal?: number }) => void): void;
  write(data: Buffer | string): void;
  resize(cols: number, rows: number): void;
  pause(): void;
  resume(): void;
}

function terminal(
  stream: MuxStream,
  request: ExecRequest,
  user: User,
  env: Record<string, string>,
  cwd: string,
): StreamEvents {
  const tty = request.tty ?? { cols: 80, rows: 24, term: 'xterm' };
  const [file = '', ...args] = request.argv;
  const pty = loadPty().spawn(file, args, {
    name: tty.term,
    cols: tty.cols,
    rows: tty.rows,
    cwd,
    env: { ...env, TERM: tty.term },
    uid: user.uid,
    gid: user.gid,
    encoding: null,
  });
  let sending = Promise.resolve();
  let waiting = 0;
  pty.onData((data) => {
    waiting += 1;
    pty.pause();
    sending = sending
      .then(() => stream.send(CHANNEL.stdout, Buffer.isBuffer(data) ? data : Buffer.from(data)))
      .then(() => {
        waiting -= 1;
        if (waiting === 0) pty.resume();
      });
  });
  pty.onExit(({ exitCode, signal }) => {
    const name = signal ? Object.entries(os.signals).find(([, number]) => number === signal)?.[0] : undefined;
    void sending.then(() =>
      stream.close(name === undefined ? { code: exitCode } : { code: 128 + (signal ?? 0), signal: name }),
    );
  });
  return {
    onData: (_channel, data, taken) => {
      unlessEnded(() => pty.write(data));
      taken();
    },
    // A terminal's end of input is a character.
    onEnd: () => unlessEnded(() => pty.write('\x04')),
    onControl: (message) => {
      const control = message as ExecControl;
      if ('resize' in control) unlessEnded(() => pty.resize(control.resize.cols, control.resize.rows));
      else signalGroup(pty.pid, control.signal as NodeJS.Signals);
    },
    onClose: () => {},
    onReset: () => endGroup(pty.pid),
  };
}

/** The module throws when the terminal has gone, or when its size cannot be. */
function unlessEnded(work: () => void): void {
  try {
    work();
  } catch {
    // Nobody is there any more.
  }
}

/** The native module lies on the runtime disk, beside the bundle and not in it. */
function loadPty(): { spawn(file: string, args: string[], options: Record<string, unknown>): Pty } {
  return createRequire(`${process.cwd()}/`)(process.env['SBX_PTY_MODULE'] ?? '@lydell/node-pty');
}

function resultOf(code: number | null, signal: NodeJS.Signals | null): { code: number; signal?: string } {
  return signal === null ? { code: code ?? 0 } : { code: 128 + (os.signals[signal] ?? 0), signal };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined || !(signal in os.signals)) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended already.
  }
}

function endGroup(pid: number | undefined): void {
  signalGroup(pid, 'SIGHUP');
  signalGroup(pid, 'SIGTERM');
  setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS).unref();
}

/** What a shell would say: 127 not found, 126 not executable. Node reports a missing folder as a missing program. */
function startProblem(file: string, cwd: string, path: string): { code: number; message: string } | undefined {
  if (!isDirectory(cwd)) return { code: 126, message: `no such folder in the sandbox: ${cwd}` };
  const candidates = file.includes('/')
    ? [file.startsWith('/') ? file : `${cwd}/${file}`]
    : path.split(':').map((dir) => `${dir}/${file}`);
  const found = candidates.filter((candidate) => isFile(candidate));
  if (found.length === 0 || file === '') return { code: 127, message: `${file}: command not found` };
  return found.some(isExecutable) ? undefined : { code: 126, message: `${file}: permission denied` };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** From /etc/passwd; a number needs no entry there. */
function findUser(wanted: string): User | undefined {
  const lines = safeRead('/etc/passwd').split('\n');
  for (const line of lines) {
    const [name = '', , uid = '', gid = '', , home = '/', shell = '/bin/sh'] = line.split(':');
    if (name !== '' && (name === wanted || uid === wanted))
      return { name, uid: Number(uid), gid: Number(gid), home, shell: shell || '/bin/sh' };
  }
  if (/^\d+$/.test(wanted))
    return { name: wanted, uid: Number(wanted), gid: Number(wanted), home: '/', shell: '/bin/sh' };
  return wanted === 'root' ? { name: 'root', uid: 0, gid: 0, home: '/root', shell: '/bin/sh' } : undefined;
}

function safeRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
