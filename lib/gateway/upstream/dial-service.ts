/** Dials a service of the host that `[[services]]` names. */
import { realpathSync } from 'node:fs';
import type { NetConnectOpts } from 'node:net';
import { sep } from 'node:path';
import type { DialledService } from '../policy/types.ts';

/** @throws where a folder that the guest may write has a part in the path of a socket: what it leads to is the guest's choice. */
export function serviceAddress(service: DialledService): NetConnectOpts {
  if (!('path' in service)) return { host: service.host, port: service.port };
  const real = realpathSync(service.path);
  const folder = service.guestFolders.find((one) => isBelow(real, one) || isBelow(service.path, one));
  if (folder !== undefined) throw new Error(`its socket leads into ${folder}, which the sandbox can write`);
  // The resolved path: a link that changes from now on leads nowhere else.
  return { path: real };
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
