/** The host's side of the helper that sets a guest up: one line of operations, one line of answer. */
import type { Socket } from 'node:net';
import { SbxError } from '../../errors.ts';
import { connectTo } from '../../system/unix-socket.ts';
import { lineOf, type Operation, parseAnswer, type SetupResult } from './operations.ts';

export interface SetupOptions {
  /** Nothing more is to be done: the helper ends when all of it succeeded */
  last: boolean;
  /** A guest may never answer */
  signal: AbortSignal;
}

/** No answer is longer: it names one operation and a reason */
const MAX_ANSWER = 4096;

/** In order. @throws SbxError `workspace`, what the guest refused; `guest-failed` when it does not answer. */
export async function runSetup(
  socketPath: string,
  operations: Operation[],
  options: SetupOptions,
): Promise<SetupResult> {
  const { last, signal } = options;
  const socket = reach(socketPath);
  try {
    const answer = await answerOf(socket, `${last ? 'last;' : ''}${lineOf(operations)}`, signal);
    const done = parseAnswer(answer);
    if (done === undefined) throw new SbxError('workspace', 'the sandbox could not be set up', { why: answer });
    return done;
  } finally {
    socket.destroy();
  }
}

function reach(socketPath: string): Socket {
  try {
    return connectTo(socketPath);
  } catch (cause) {
    throw unanswered(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function unanswered(why: string, cause?: unknown): SbxError {
  return new SbxError('guest-failed', 'the sandbox could not be set up', {
    why,
    hint: 'see `sbx logs --console`; `sbx stop` and `sbx start` restart it',
    cause,
  });
}

function answerOf(socket: Socket, line: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) => reject(unanswered(why, cause));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > MAX_ANSWER) fail('its answer makes no sense');
    });
    socket.once('error', (error) => fail(error.message, error));
    socket.once('close', () => fail('it closed the connection'));
    if (signal.aborted) fail('it gave no answer in time', signal.reason);
    signal.addEventListener('abort', () => fail('it gave no answer in time', signal.reason), { once: true });
    socket.write(line);
  });
}
