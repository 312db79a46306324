/** Services inside that no port of the host leads to: listed, and asked about once where the file wants it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonClient } from '../../../api/client.ts';
import type { OfferedPort } from '../../../api/live-contract.ts';
import type { PortInfo, SandboxStatus } from '../../../api/sandbox-status.ts';
import { SbxError } from '../../../errors.ts';
import { endOnSignal } from '../../command/interrupt.ts';
import { inOneLine } from '../../view/printable.ts';
import type { View } from '../../view/types.ts';

interface Asking {
  client: DaemonClient;
  view: View;
  sandbox: SandboxStatus;
}

const EVERY_MS = 1_000;

/** None where the guest does not say. */
export async function offersOf(client: DaemonClient, { id, state }: SandboxStatus): Promise<OfferedPort[]> {
  if (state !== 'running') return [];
  return client.listening(id).catch(() => []);
}

/** Publishes those that the user wants, and remembers the others. Undefined: nothing was opened */
export async function askAbout(
  { client, view, sandbox }: Asking,
  offers: OfferedPort[],
): Promise<PortInfo[] | undefined> {
  let opened: PortInfo[] | undefined;
  for (const { port, program } of offers.filter(({ asks }) => asks && view.asks)) {
    const answer = await view.confirm(
      `${sandbox.name} listens on ${port}${inBrackets(program)}. Open it on this host?`,
    );
    if (answer === true) opened = await publish(client, sandbox.id, port);
    else if (answer === false) await client.declinePorts(sandbox.id, { ports: [port] });
  }
  return opened;
}

/** The same port on the host, or a free one. */
async function publish(client: DaemonClient, id: string, guest: number): Promise<PortInfo[]> {
  const open = (host: number) => client.changePorts(id, { publish: [{ guest, host }], unpublish: [] });
  const { ports } = await open(guest).catch((error: unknown) => {
    // Another program has it, or it needs the rights of root.
    if (error instanceof SbxError && ['port-taken', 'usage'].includes(error.code)) return open(0);
    throw error;
  });
  return ports;
}

/** Until a signal: a line for each service that begins to listen, and the question, where it is to be asked. */
export async function watchOffers({ client, view, sandbox }: Asking): Promise<never> {
  using _end = endOnSignal();
  const said = new Set<number>();
  for (;;) {
    const offers = (await client.listening(sandbox.id)).filter(({ port }) => !said.has(port));
    for (const { port, program, asks } of offers) {
      said.add(port);
      if (!asks || !view.asks) view.line({ port, program }, `${port}${inBrackets(program)} listens inside`);
    }
    for (const { url, guest } of (await askAbout({ client, view, sandbox }, offers)) ?? [])
      if (offers.some(({ port }) => port === guest))
        view.line({ port: guest, url }, `${url} leads to the port ${guest}`);
    await sleep(EVERY_MS);
  }
}

/** As the guest says. */
export function inBrackets(program: string | null): string {
  return program === null ? '' : ` (${inOneLine(program)})`;
}
