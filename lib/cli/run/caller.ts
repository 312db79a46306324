/** The locale, time zone and colours of the person who runs a command. */
import { readlinkSync } from 'node:fs';
import type { Caller } from '../../guest/protocol/messages.ts';

const ZONES = 'zoneinfo/';

/** `localtime`: the link that names the host's zone. */
export function callerOf(env: NodeJS.ProcessEnv, localtime = '/etc/localtime'): Caller {
  const locale = env['LC_ALL'] || env['LANG'];
  const zone = env['TZ'] || zoneOf(localtime);
  const colours = env['COLORTERM'];
  return { ...(locale && { locale }), ...(zone && { zone: zone.replace(/^:/, '') }), ...(colours && { colours }) };
}

function zoneOf(localtime: string): string | undefined {
  try {
    const target = readlinkSync(localtime);
    const at = target.indexOf(ZONES);
    return at < 0 ? undefined : target.slice(at + ZONES.length);
  } catch {
    return undefined;
  }
}
