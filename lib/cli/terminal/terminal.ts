/** Lends the user's terminal to a command inside: raw keys, sizes and signals are passed on. What the guest does, a signal ends the client. */
import { constants } from 'node:os';

/** Of one second between a signal and the end of the process, the rest is for ending */
const PATIENCE_MS = 900;
const CTRL_C = 3;

export interface RawOptions {
  resize: (cols: number, rows: number) => void;
  /** Resolves when the guest answers, whatever it says; it may never do so */
  ping: () => Promise<unknown>;
  /** SIGTERM and SIGHUP end this process, and the command with it */
  ends: boolean;
}

/**
 * Returns a function that restores the terminal; an exit of the process restores it as well. Ctrl-C belongs to the command inside. When the
 * guest does not answer then, it ends this process.
 */
export function rawTerminal({ resize, ping, ends }: RawOptions): () => void {
  const { stdin, stdout } = process;
  const onResize = () => resize(stdout.columns, stdout.rows);
  stdin.setRawMode(true);
  stdout.on('resize', onResize);
  const restore = () => {
    stdout.off('resize', onResize);
    if (stdin.isTTY) stdin.setRawMode(false);
  };
  process.once('exit', restore);
  const forget = watchInterrupts(ping);
  const signals = ends ? (['SIGTERM', 'SIGHUP'] as const) : [];
  // An exit restores the terminal; without a listener the signal would end the process as it is.
  const leave = (signal: NodeJS.Signals) => process.exit(128 + constants.signals[signal]);
  for (const signal of signals) process.once(signal, leave);
  return () => {
    forget();
    for (const signal of signals) process.off(signal, leave);
    process.off('exit', restore);
    restore();
  };
}

function watchInterrupts(ping: () => Promise<unknown>): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onKeys = (keys: Buffer) => {
    if (!keys.includes(CTRL_C) || timer !== undefined) return;
    const answered = () => {
      clearTimeout(timer);
      timer = undefined;
    };
    timer = setTimeout(() => leaveUnanswered('SIGINT', 'the sandbox does not answer'), PATIENCE_MS);
    // An error is an answer, or the end of the connection, which has its own message.
    ping().then(answered, answered);
  };
  process.stdin.on('data', onKeys);
  return () => {
    clearTimeout(timer);
    process.stdin.off('data', onKeys);
  };
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
type Forwarded = (typeof FORWARDED)[number];

/**
 * Passes signals on to the command. One that is still there a moment after the first is left, and a second signal leaves it at once: the guest
 * then ends it. Returns a function that ends the forwarding.
 */
export function forwardSignals(kill: (signal: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const handlers = FORWARDED.map((signal) => {
    const handler = () => {
      if (timer !== undefined) leaveUnanswered(signal, 'interrupted again');
      timer = setTimeout(() => leaveUnanswered(signal, 'the command has not ended within a second'), PATIENCE_MS);
      kill(signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return () => {
    clearTimeout(timer);
    for (const off of handlers) off();
  };
}

/** Not by an exception: output that its reader does not take would keep the process. */
function leaveUnanswered(signal: Forwarded, why: string): never {
  process.stderr.write(`sbx: ${why}; disconnected\n`);
  process.exit(128 + constants.signals[signal]);
}

export function terminalSize(): { cols: number; rows: number; term: string } {
  const { columns = 80, rows = 24 } = process.stdout;
  return { cols: columns, rows, term: process.env['TERM'] ?? 'xterm-256color' };
}

export async function ended(stream: NodeJS.ReadableStream): Promise<void> {
  if ((stream as { readableEnded?: boolean }).readableEnded) return;
  await new Promise((resolve) => stream.once('end', resolve));
}
