/** Programs that know no proxy: their questions about names are answered here, their connections carried to the gateway. A convenience, no control. */
import { startDns } from './dns-server.ts';
import { createNames } from './names.ts';
import { startRedirect } from './redirect.ts';

/** The one address that the guest's network card leads to */
const GATEWAY = { host: '10.0.2.100', port: 3128 };

/** `perl`: with arguments before its own. Resolves once both are there. @throws Error, what could not be set up. */
export async function startNetwork(perl: string[]): Promise<void> {
  const names = createNames();
  await Promise.all([startDns(names), startRedirect({ names, gateway: GATEWAY, perl })]);
}
