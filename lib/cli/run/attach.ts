/** Attaches the user's terminal to a session, until the agent ends or the user detaches. */
import { SbxError } from '../../errors.ts';
import type { SessionClient } from '../../guest/client/session-client.ts';
import type { ExecResult } from '../../guest/protocol/messages.ts';
import { TerminalModes } from '../../guest/protocol/terminal-modes.ts';
import type { DetachKeys } from '../terminal/detach-keys.ts';
import { withoutQuestions } from '../terminal/replayed.ts';
import { ended, rawTerminal } from '../terminal/terminal.ts';

/** An unfinished key sequence is passed on after this time, `ms` */
const HOLD_MS = 1_000;
/** Incomplete earlier output is shown after this time without new data, `ms` */
const REPLAY_WAIT_MS = 300;

interface AttachOptions {
  keys: DetachKeys;
  /** Resolves when the guest answers */
  ping: () => Promise<unknown>;
}

/** Undefined: the user has detached, and the session continues. @throws SbxError `guest-protocol`: the connection ended. */
export async function attach(session: SessionClient, { keys, ping }: AttachOptions): Promise<ExecResult | undefined> {
  const { replay } = await session.opened;
  const modes = new TerminalModes();
  const shown = show(session, replay, modes);
  const restore = rawTerminal({ resize: session.resize, ping, ends: false });
  const { left, stop } = passKeys(session, keys);
  try {
    return await Promise.race([session.exit.then((result) => shown.then(() => result)), left]);
  } catch (error) {
    throw error instanceof SbxError && error.code === 'guest-protocol' ? connectionLost(error) : error;
  } finally {
    stop();
    session.leave();
    restore();
    process.stdout.write(modes.leave());
  }
}

/** Resolves when all output was written. */
async function show(session: SessionClient, replay: number, modes: TerminalModes): Promise<void> {
  let earlier: Buffer[] = [];
  let waiting = replay;
  let timer: NodeJS.Timeout | undefined;
  const write = (data: Buffer) => {
    modes.feed(data);
    if (process.stdout.write(data)) return;
    session.stdout.pause();
    process.stdout.once('drain', () => session.stdout.resume());
  };
  const flush = () => {
    clearTimeout(timer);
    waiting = 0;
    if (earlier.length > 0) write(withoutQuestions(Buffer.concat(earlier)));
    earlier = [];
  };
  session.stdout.on('data', (data: Buffer) => {
    if (waiting === 0) return write(data);
    clearTimeout(timer);
    timer = setTimeout(flush, REPLAY_WAIT_MS);
    earlier.push(data.subarray(0, waiting));
    const live = data.subarray(waiting);
    waiting -= data.length - live.length;
    if (waiting > 0) return;
    flush();
    if (live.length > 0) write(live);
  });
  session.stderr.on('data', (data: Buffer) => void process.stderr.write(data));
  await Promise.all([ended(session.stdout), ended(session.stderr)]);
  flush();
}

function passKeys(session: SessionClient, keys: DetachKeys): { left: Promise<undefined>; stop: () => void } {
  const { stdin } = process;
  let leave = () => {};
  const left = new Promise<undefined>((resolve) => {
    leave = () => resolve(undefined);
  });
  let timer: NodeJS.Timeout | undefined;
  const onKeys = (input: Buffer) => {
    clearTimeout(timer);
    const { pass, detached } = keys.push(input);
    if (pass.length > 0) session.stdin.write(pass);
    if (detached) leave();
    else timer = setTimeout(() => session.stdin.write(keys.flush()), HOLD_MS);
  };
  session.stdin.on('error', () => {});
  stdin.on('data', onKeys);
  // Closing the terminal detaches: the agent continues.
  stdin.once('end', leave);
  for (const signal of ['SIGHUP', 'SIGTERM'] as const) process.once(signal, leave);
  return {
    left,
    stop() {
      clearTimeout(timer);
      stdin.off('data', onKeys).off('end', leave).pause();
      for (const signal of ['SIGHUP', 'SIGTERM'] as const) process.off(signal, leave);
    },
  };
}

function connectionLost(cause: SbxError): SbxError {
  return new SbxError('guest-protocol', 'the connection to the sandbox ended', {
    why: cause.why ?? 'no reason was given',
    hint: 'the agent continues while its VM runs: attach again with `sbx run`',
    cause,
  });
}
