/** Serves the control socket of a workspace server. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../../log.ts';
import { listenAt } from '../../system/unix-socket.ts';
import { type Answer, LINE_MAX, type Request, request } from '../protocol/messages.ts';

/** Never throws for what a caller sends: the answer says what was wrong. */
export async function serveControl(
  path: string,
  handle: (request: Request) => Answer | Promise<Answer>,
  log: Log,
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.setEncoding('utf8');
    let text = '';
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0 && text.length <= LINE_MAX) return;
      socket.removeAllListeners('data').resume();
      void answerOn(socket, text.slice(0, end), handle, log);
    });
  });
  await listenAt(server, path);
  return server;
}

async function answerOn(
  socket: Socket,
  line: string,
  handle: (request: Request) => Answer | Promise<Answer>,
  log: Log,
): Promise<void> {
  try {
    const asked = request.parse(JSON.parse(line));
    if (asked.op === 'watch') return;
    socket.end(`${JSON.stringify(await handle(asked))}\n`);
  } catch (error) {
    log.error('a control request failed', error);
    socket.end(`${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`);
  }
}
