/** Sends setup operations to the setup helper of a guest: one line of operations, one line of answer. */
import type { Socket } from 'node:net';
import { SbxError } from '../../errors.ts';
import { connectTo } from '../../system/unix-socket.ts';
import { lineOf, type Operation, parseAnswer, type SetupResult } from './operations.ts';

export interface SetupOptions {
  /** No more operations follow: the setup helper exits when all of these succeeded */
  last: boolean;
  /** Ends the wait for the answer: a guest may never send one */
  signal: AbortSignal;
}

/** Longest answer, which names one operation and a reason */
const MAX_ANSWER = 4096;

/** Runs the operations in order. @throws SbxError `workspace` with the operation that failed; `guest-failed` when the guest does not answer. */
export async function runSetup(
  socketPath: string,
  operations: Operation[],
  options: SetupOptions,
): Promise<SetupResult> {
  const { last, signal } = options;
  const socket = openSocket(socketPath);
  try {
    const answer = await answerOf(socket, `${last ? 'last;' : ''}${lineOf(operations)}`, signal);
    const done = parseAnswer(answer);
    if (done === undefined) throw new SbxError('workspace', 'the sandbox could not be set up', { why: answer });
    return done;
  } finally {
    socket.destroy();
  }
}

function openSocket(socketPath: string): Socket {
  try {
    return connectTo(socketPath);
  } catch (cause) {
    throw unanswered(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function unanswered(why: string, cause?: unknown): SbxError {
  return new SbxError('guest-failed', 'the sandbox could not be set up', {
    why,
    hint: 'see `sbx logs --console`; `sbx stop` and `sbx start` restart the sandbox',
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
      else if (text.length > MAX_ANSWER) fail('invalid answer of the setup helper');
    });
    socket.once('error', (error) => fail(error.message, error));
    socket.once('close', () => fail('the setup helper closed the connection'));
    if (signal.aborted) fail('the setup helper did not answer in time', signal.reason);
    signal.addEventListener('abort', () => fail('the setup helper did not answer in time', signal.reason), {
      once: true,
    });
    socket.write(line);
  });
}
