/** The process of a workspace server, in its jail: node workspace-server.js MARKER CONTROL_SOCKET */
import { rmSync } from 'node:fs';
import { pino } from 'pino';
import type { Log } from '../../log.ts';
import type { Answer, Request } from '../protocol/messages.ts';
import { setOwnerRightsAside } from '../server/sys/owner-rights.ts';
import { serveControl } from './control.ts';
import { ServedGuests } from './guests.ts';
import { endWhenIdle } from './idle.ts';

async function main(controlSocket: string): Promise<void> {
  // What the guest makes has the mode that it asks for.
  process.umask(0);
  setOwnerRightsAside();
  const log = logOf();
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', error));
  process.on('uncaughtException', (error) => log.error('uncaught exception', error));
  const guests = new ServedGuests(log);
  const onRequest = endWhenIdle(
    () => guests.size === 0,
    () => process.exit(0),
  );
  const handle = async (asked: Request): Promise<Answer> => {
    if (asked.op === 'attach') guests.attach(asked);
    if (asked.op === 'take-out') guests.takeOut(asked);
    if (asked.op === 'suspend') await guests.suspend(asked.id);
    if (asked.op === 'detach') await guests.detach(asked.id);
    onRequest(asked.op);
    if (asked.op === 'explain') return { explanation: await guests.explain(asked) };
    return { guests: guests.list() };
  };
  rmSync(controlSocket, { force: true });
  await serveControl(controlSocket, handle, log);
  log.info('ready');
}

function logOf(): Log {
  const log = pino({ base: null });
  return {
    info: (message) => log.info(message),
    warn: (message) => log.warn(message),
    error: (message, err) => log.error({ err }, message),
  };
}

await main(process.argv[3] ?? '');
