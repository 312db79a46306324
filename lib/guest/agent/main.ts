/** The guest agent, which serves the host over one pipe: `--port /dev/vportNpM` inside a VM, `--socket PATH` for tests on a host. */
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { pipeOf } from '../protocol/pipe.ts';
import { createSession } from '../protocol/server-session.ts';
import { restartGreeting } from '../protocol/wire.ts';
import { GUEST_ADDRESS } from '../setup/operations.ts';
import { startDns } from './net/dns-server.ts';
import { createNames } from './net/names.ts';
import { startRedirect } from './net/redirect.ts';
import { openPort } from './port.ts';
import { spareSelf } from './process/oom-score.ts';
import { createServices } from './services.ts';

/** On the sandbox's own disk, for root */
const RECORDS = '/var/lib/sbx/sessions';
/** The one address that the guest's network card leads to */
const GATEWAY = { host: '10.0.2.100', port: 3128 };

const { values } = parseArgs({
  options: { port: { type: 'string' }, socket: { type: 'string' }, records: { type: 'string' } },
});
const perl = JSON.parse(process.env['SBX_PERL'] ?? '[]') as string[];
const services = createServices({ perl, records: values.records ?? RECORDS, cgroups: process.env['SBX_CGROUPS'] });

if (values.port !== undefined) {
  spareSelf();
  const port = openPort(values.port);
  const session = createSession(port, services.open);
  void port.write(restartGreeting());
  // A failure is logged to the console; the proxy variables work without the network set-up.
  startNetwork().catch((error: Error) => process.stderr.write(`sbx-agent: ${error.message}\n`));
  port.run({ onData: (chunk) => session.push(chunk), onHostGone: () => session.end() });
} else if (values.socket !== undefined) {
  createServer((socket) => {
    const session = createSession(pipeOf(socket), services.open);
    socket.on('data', (chunk) => session.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => session.end());
  }).listen(values.socket);
} else {
  throw new Error('usage: agent --port DEVICE | --socket PATH');
}

/**
 * Serves programs without proxy support: answers DNS and redirects connections to the gateway. A convenience, not a security control.
 * Resolves once both are ready. @throws Error with the part that failed.
 */
async function startNetwork(): Promise<void> {
  const names = createNames();
  await Promise.all([
    startDns(names, { addresses: ['127.0.0.1', GUEST_ADDRESS] }),
    startRedirect({ names, gateway: GATEWAY, perl }),
  ]);
}
