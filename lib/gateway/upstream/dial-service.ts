/** Dials a service of the host that `[[services]]` names. */
import type { NetConnectOpts } from 'node:net';
import { sep } from 'node:path';
import { placesOf } from '../../system/places.ts';
import type { DialledService } from '../policy/types.ts';

/** @throws where the way to a socket leads through a folder that the guest may write: what it leads to is the guest's choice. */
export function serviceAddress(service: Exclude<DialledService, { signer: true } | { mcp: true }>): NetConnectOpts {
  if (!('path' in service)) return { host: service.host, port: service.port };
  const passed = placesOf(service.path);
  const folder = service.guestFolders.find((one) => passed.some((place) => isBelow(place, one)));
  if (folder !== undefined) throw new Error(`its socket leads through ${folder}, which the sandbox can write`);
  // The resolved path: a link that changes from now on leads nowhere else.
  return { path: passed.at(-1) ?? service.path };
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
