/** Starts a command as a process, on pipes or on a terminal of its own. It leads a session of its own. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { CHANNEL, type ExecControl, type ExecRequest, type ExecResult } from '../../protocol/messages.ts';
import type { Command } from './command.ts';
import { unspared } from './oom-score.ts';
import { endSession, signalGroup } from './process-session.ts';
import { openTerminal } from './terminal.ts';

export interface Running {
  /** Undefined: it did not start */
  pid: number | undefined;
  outputs: { channel: number; readable: Readable }[];
  /** An error when it did not start */
  exit: Promise<ExecResult | Error>;
  write(data: Buffer, taken: () => void): void;
  endInput(): void;
  control(message: ExecControl): void;
  /** Ends the process and all of its session */
  end(): void;
  /** After its end: closes outputs that background processes hold open */
  release(): void;
}

export function startProcess(command: Command, { tty, stdin }: Pick<ExecRequest, 'tty' | 'stdin'>): Running {
  return tty === undefined ? onPipes(command, stdin) : onTerminal(command, tty);
}

function onPipes({ file, args, cwd, env, uid, gid }: Command, stdin: boolean): Running {
  const child = unspared(() =>
    spawn(file, args, {
      cwd,
      env,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      detached: true,
      stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    }),
  );
  child.stdin?.on('error', () => {});
  return {
    pid: child.pid,
    outputs: [
      { channel: CHANNEL.stdout, readable: child.stdout as Readable },
      { channel: CHANNEL.stderr, readable: child.stderr as Readable },
    ],
    exit: new Promise((resolve) => {
      child.once('error', resolve);
      child.once('exit', (code, signal) =>
        resolve(resultOf(code ?? 0, constants.signals[signal ?? 'SIGKILL'], signal)),
      );
    }),
    write(data, taken) {
      if (child.stdin === null || child.stdin.destroyed || child.stdin.writableEnded) taken();
      else child.stdin.write(data, () => taken());
    },
    endInput: () => void child.stdin?.end(),
    control(message) {
      if ('signal' in message) signalGroup(child.pid, message.signal);
    },
    end: () => endSession(child.pid),
    release: () => {},
  };
}

function onTerminal(command: Command, size: NonNullable<ExecRequest['tty']>): Running {
  const pty = openTerminal(command, size);
  pty.stream.on('error', () => {});
  const write = (data: Buffer | string, taken: () => void) => {
    if (pty.stream.destroyed) taken();
    else pty.stream.write(data, () => taken());
  };
  return {
    pid: pty.pid,
    outputs: [{ channel: CHANNEL.stdout, readable: pty.stream }],
    exit: pty.exit.then(({ code, signal }) => {
      const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
      return resultOf(code, signal, name ?? null);
    }),
    write,
    // A terminal's end of input is a character.
    endInput: () => write('\x04', () => {}),
    control(message) {
      if ('resize' in message) pty.resize(message.resize);
      else if ('signal' in message) signalGroup(pty.pid, message.signal);
    },
    end: () => endSession(pty.pid),
    release: () => void pty.stream.destroy(),
  };
}

/** Codes as a shell reports them. */
function resultOf(code: number, number: number, signal: string | null): ExecResult {
  return signal === null ? { code } : { code: 128 + number, signal };
}
