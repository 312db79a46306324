/** Serves programs without proxy support: answers DNS and redirects connections to the gateway. A convenience, not a security control. */
import { startDns } from './dns-server.ts';
import { createNames } from './names.ts';
import { startRedirect } from './redirect.ts';

/** The one address that the guest's network card leads to */
const GATEWAY = { host: '10.0.2.100', port: 3128 };

/** `perl`: may have leading arguments. Resolves once both are ready. @throws Error with the part that failed. */
export async function startNetwork(perl: string[]): Promise<void> {
  const names = createNames();
  await Promise.all([startDns(names), startRedirect({ names, gateway: GATEWAY, perl })]);
}
