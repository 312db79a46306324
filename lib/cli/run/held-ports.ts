/** Opens ports of the host for as long as a command runs, such as the call-back of a login. */
import type { PortInfo } from '../../api/sandbox-status.ts';
import type { SbxContext } from '../command/context.ts';
import type { WantedPort } from '../command/port-text.ts';
import { daemonOf } from '../command/project.ts';
import type { View } from '../view/types.ts';

interface Wanted {
  context: SbxContext;
  sandbox: { id: string; name: string };
  publish: WantedPort[];
  /** Shows a line for each port */
  view: View;
}

/** Resolves when they are open; disposing closes them, as the end of this process does. @throws SbxError `port-taken`, `usage` */
export async function holdPorts({ context, sandbox, publish, view }: Wanted): Promise<Disposable> {
  const end = new AbortController();
  const held: Disposable = { [Symbol.dispose]: () => end.abort() };
  if (publish.length === 0) return held;
  const client = await daemonOf(context);
  const ports = await new Promise<PortInfo[]>((resolve, reject) => {
    const onEvent = (event: { type: string; ports?: PortInfo[] }) =>
      event.type === 'ports' && resolve(event.ports ?? []);
    client.holdPorts(sandbox.id, { publish }, { signal: end.signal, onEvent }).catch(reject);
  });
  for (const { guest, url, from } of ports)
    if (from === 'command' && !view.json)
      process.stderr.write(`sbx: ${url} leads to the port ${guest} of ${sandbox.name} while this command runs\n`);
  return held;
}
