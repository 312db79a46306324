/** Which of the caller's terminal type, locale and time zone this guest knows: a program would warn about others, or draw wrongly. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Caller } from '../../protocol/messages.ts';

/** Where the guest keeps descriptions; tests use others. */
export interface Descriptions {
  terminfo: readonly string[];
  locales: string;
  zones: string;
}

const SYSTEM: Descriptions = {
  terminfo: ['/etc/terminfo', '/lib/terminfo', '/usr/share/terminfo', '/usr/local/share/terminfo'],
  locales: '/usr/lib/locale',
  zones: '/usr/share/zoneinfo',
};

/** Part of every image with terminfo, and what most terminals understand */
const COMMON_TERMINAL = 'xterm-256color';

export function terminalType(wanted: string, { terminfo }: Descriptions = SYSTEM): string {
  if (!/^[A-Za-z0-9][\w+.-]*$/.test(wanted)) return COMMON_TERMINAL;
  // By first letter, or by its number in hex.
  const places = [wanted.slice(0, 1), wanted.charCodeAt(0).toString(16)];
  const known = terminfo.some((dir) => places.some((place) => existsSync(join(dir, place, wanted))));
  return known ? wanted : COMMON_TERMINAL;
}

/** Variables of a command; without what the guest does not know. */
export function callerVariables(
  { locale, zone, colours }: Caller,
  onTerminal: boolean,
  descriptions: Descriptions = SYSTEM,
): Record<string, string> {
  return {
    ...(locale !== undefined && hasLocale(locale, descriptions) ? { LANG: locale } : {}),
    ...(zone !== undefined && hasZone(zone, descriptions) ? { TZ: zone } : {}),
    ...(onTerminal && colours !== undefined && /^[\w.-]{1,32}$/.test(colours) ? { COLORTERM: colours } : {}),
  };
}

function hasZone(name: string, { zones }: Descriptions): boolean {
  return /^[A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+)*$/.test(name) && existsSync(join(zones, name));
}

/** Locales are folders, or names in an archive. */
function hasLocale(name: string, { locales }: Descriptions): boolean {
  if (!/^[A-Za-z][\w.@-]*$/.test(name)) return false;
  // The C library writes `UTF-8` as `utf8` in names.
  const plain = name.replace(/\.([\w-]+)/, (_, codeset: string) => `.${codeset.toLowerCase().replaceAll(/[-_]/g, '')}`);
  if ([name, plain].some((one) => existsSync(join(locales, one, 'LC_CTYPE')))) return true;
  return namesIn(join(locales, 'locale-archive')).includes(`\0${plain}\0`);
}

/** Of the archive's head: offset and length of its table of names, which begins with a NUL here. */
const NAMES_AT = 20;
const NAMES_MAX = 1024 ** 2;

function namesIn(archive: string): string {
  try {
    const file = openSync(archive, 'r');
    try {
      const head = Buffer.alloc(28);
      readSync(file, head, 0, head.length, 0);
      const names = Buffer.alloc(Math.min(head.readUInt32LE(NAMES_AT + 4), NAMES_MAX));
      readSync(file, names, 0, names.length, head.readUInt32LE(NAMES_AT));
      return `\0${names.toString('latin1')}`;
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
