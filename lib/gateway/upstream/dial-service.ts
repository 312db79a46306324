/** Dials a service of the host that `[[services]]` names. */
import { readlinkSync } from 'node:fs';
import type { NetConnectOpts } from 'node:net';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { errnoOf } from '../../errors.ts';
import type { DialledService } from '../policy/types.ts';

/** @throws where the way to a socket leads through a folder that the guest may write: what it leads to is the guest's choice. */
export function serviceAddress(service: DialledService): NetConnectOpts {
  if (!('path' in service)) return { host: service.host, port: service.port };
  const passed = placesOf(service.path);
  const folder = service.guestFolders.find((one) => passed.some((place) => isBelow(place, one)));
  if (folder !== undefined) throw new Error(`its socket leads through ${folder}, which the sandbox can write`);
  // The resolved path: a link that changes from now on leads nowhere else.
  return { path: passed.at(-1) ?? service.path };
}

const LINKS_MAX = 40;

/** Every place on the way, as the kernel goes it: each below a real folder, the last one is the end. */
function placesOf(path: string): string[] {
  const passed: string[] = [];
  let at: string = sep;
  let links = 0;
  let rest = path.split(sep);
  while (rest.length > 0) {
    const [name = '', ...more] = rest;
    rest = more;
    if (name === '' || name === '.') continue;
    const place = name === '..' ? dirname(at) : join(at, name);
    passed.push(place);
    const target = name === '..' ? undefined : linkAt(place);
    if (target === undefined) {
      at = place;
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) throw new Error('too many links lead to its socket');
    if (isAbsolute(target)) at = sep;
    rest = [...target.split(sep), ...rest];
  }
  return passed;
}

/** Undefined: it is no link */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
