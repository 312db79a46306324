/**
 * Commands: each leads a session of its own, which ends with its stream. The result comes when the command itself has ended and what it wrote
 * was sent; a process that it left in the background goes on, unheard, as after a shell.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { MuxStream, StreamEvents } from '../mux.ts';
import { CHANNEL, type ExecControl, type ExecRequest, type ExecResult } from '../services.ts';
import { type Command, commandOf, isRefusal, type Refusal } from './command.ts';
import { drained, forward } from './output.ts';
import { endSession, signalGroup } from './process-session.ts';
import { openTerminal } from './terminal.ts';

export function exec(stream: MuxStream, request: ExecRequest, base: Record<string, string>): StreamEvents {
  try {
    const command = commandOf(request, base);
    if (isRefusal(command)) return refuse(stream, command);
    return request.tty === undefined ? plain(stream, command, request.stdin) : terminal(stream, command, request.tty);
  } catch (error) {
    // A command line that is too long, for example.
    return refuse(stream, { code: 126, message: error instanceof Error ? error.message : String(error) });
  }
}

function refuse(stream: MuxStream, { code, message }: Refusal): StreamEvents {
  void stream.send(CHANNEL.stderr, Buffer.from(`sbx: ${message}\n`)).then(() => stream.close({ code }));
  return {
    onData: (_channel, _data, taken) => taken(),
    onEnd: () => {},
    onControl: () => {},
    onClose: () => {},
    onReset: () => {},
  };
}

function plain(stream: MuxStream, command: Command, stdin: boolean): StreamEvents {
  const { file, args, cwd, env, uid, gid } = command;
  const child = spawn(file, args, {
    cwd,
    env,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    detached: true,
    stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => {});
  void finish(child, stream);
  return {
    onData(_channel, data, taken) {
      if (child.stdin === null || child.stdin.destroyed || child.stdin.writableEnded) taken();
      else child.stdin.write(data, () => taken());
    },
    onEnd: () => void child.stdin?.end(),
    onControl(message) {
      const control = message as ExecControl;
      if ('signal' in control) signalGroup(child.pid, control.signal);
    },
    onClose: () => {},
    onReset: () => endSession(child.pid),
  };
}

async function finish(child: ChildProcess, stream: MuxStream): Promise<void> {
  const outputs = [
    child.stdout && forward(child.stdout, CHANNEL.stdout, stream),
    child.stderr && forward(child.stderr, CHANNEL.stderr, stream),
  ].filter((output) => output !== null);
  const result = await new Promise<ExecResult | Error>((resolve) => {
    child.once('error', resolve);
    child.once('exit', (code, signal) => resolve(resultOf(code ?? 0, constants.signals[signal ?? 'SIGKILL'], signal)));
  });
  if (result instanceof Error) {
    refuse(stream, { code: 126, message: result.message });
    return;
  }
  await drained(outputs);
  stream.close(result);
}

function terminal(stream: MuxStream, command: Command, size: NonNullable<ExecRequest['tty']>): StreamEvents {
  const pty = openTerminal(command, size);
  const output = forward(pty.stream, CHANNEL.stdout, stream);
  pty.stream.on('error', () => {});
  const write = (data: Buffer | string, taken: () => void) => {
    if (pty.stream.destroyed) taken();
    else pty.stream.write(data, () => taken());
  };
  void pty.exit.then(async ({ code, signal }) => {
    await drained([output]);
    const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
    stream.close(resultOf(code, signal, name ?? null));
    pty.stream.destroy();
  });
  return {
    onData: (_channel, data, taken) => write(data, taken),
    // A terminal's end of input is a character.
    onEnd: () => write('\x04', () => {}),
    onControl(message) {
      const control = message as ExecControl;
      if ('resize' in control) pty.resize(control.resize);
      else signalGroup(pty.pid, control.signal);
    },
    onClose: () => {},
    onReset() {
      endSession(pty.pid);
      pty.stream.destroy();
    },
  };
}

/** As a shell tells it. */
function resultOf(code: number, number: number, signal: string | null): ExecResult {
  return signal === null ? { code } : { code: 128 + number, signal };
}
