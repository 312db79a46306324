/** Asks a workspace server on its control socket. A server may be in the hands of a guest: answers are bounded, checked, and not waited for without end. */
import type { Socket } from 'node:net';
import { SbxError } from '../../errors.ts';
import { connectTo } from '../../system/unix-socket.ts';
import { type Answer, answer, LINE_MAX, type Request } from '../protocol/messages.ts';

const ANSWER_MS = 10_000;

/** @throws SbxError `workspace`; an error of the socket when no server listens. */
export async function askServer(control: string, request: Request): Promise<Extract<Answer, { guests: unknown }>> {
  const found = await exchange(control, request);
  if ('guests' in found) return found;
  throw refused(found);
}

type Explain = Extract<Request, { op: 'explain' }>;
export type PathExplanation = Extract<Answer, { explanation: unknown }>['explanation'];

/** Text in the answer is not safe to show. @throws as `askServer` */
export async function askExplanation(control: string, request: Explain): Promise<PathExplanation> {
  const found = await exchange(control, request);
  if ('explanation' in found) return found.explanation;
  throw refused(found);
}

async function exchange(control: string, request: Request): Promise<Answer> {
  const socket = connectTo(control);
  try {
    return answer.parse(JSON.parse(await lineOf(socket, `${JSON.stringify(request)}\n`)));
  } finally {
    socket.destroy();
  }
}

function refused(found: Answer): SbxError {
  return new SbxError('workspace', 'the workspace server refused a request', {
    why: 'error' in found ? found.error : 'the answer is to another question',
  });
}

/** Resolves when the server of this control socket has ended. */
export function serverEnd(control: string, onEnd: () => void): Disposable {
  let ended = false;
  const end = () => {
    if (!ended) onEnd();
    ended = true;
  };
  let socket: Socket | undefined;
  try {
    socket = connectTo(control).once('error', end).once('close', end).resume();
    socket.write(`${JSON.stringify({ op: 'watch' } satisfies Request)}\n`);
  } catch {
    queueMicrotask(end);
  }
  return {
    [Symbol.dispose]: () => {
      ended = true;
      socket?.destroy();
    },
  };
}

function lineOf(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    const timer = setTimeout(() => reject(new Error('the workspace server does not answer')), ANSWER_MS);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      line += chunk;
      const end = line.indexOf('\n');
      if (end >= 0) resolve(line.slice(0, end));
      else if (line.length > LINE_MAX) reject(new Error('invalid answer of the workspace server'));
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error('the workspace server closed the connection'));
    });
    socket.write(text);
  });
}
