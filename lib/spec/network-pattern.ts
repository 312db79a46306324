/** Checks that an entry of a network list is well-formed. The gateway parses it again; a test checks that both accept the same entries. */
import { isIPv4, isIPv6 } from 'node:net';

export const PRESETS = ['npm', 'apt', 'pip', 'cargo', 'go', 'maven', 'rubygems'] as const;
export type Preset = (typeof PRESETS)[number];

const NAME_MAX = 253;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** `preset:<name>`, or a host, `*.host`, `**.host`, an address or CIDR (IPv6 in brackets when a port follows), then `:port` or `:from-to`. */
export function parsePattern(text: string): boolean {
  if (presetOf(text) !== undefined) return true;
  const bracket = /^\[([^\]]*)\](\/\d+)?(?::(.+))?$/.exec(text);
  if (bracket !== null) return isRange6(`${bracket[1]}${bracket[2] ?? ''}`) && arePorts(bracket[3]);
  if (text.split(':').length > 2) return isRange6(text);
  const [host = '', ports] = text.toLowerCase().split(':');
  return (isRange4(host) || isName(host.replace(/^\*\*?\./, ''))) && arePorts(ports);
}

export function presetOf(text: string): Preset | undefined {
  const name = text.startsWith('preset:') ? text.slice('preset:'.length) : undefined;
  return PRESETS.find((preset) => preset === name);
}

function isRange4(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  return isIPv4(address) && isCount(bits, 32) && more.length === 0;
}

/** Without zones, which are local to one host. */
function isRange6(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  return isIPv6(address) && !address.includes('%') && isCount(bits, 128) && more.length === 0;
}

function isCount(text: string | undefined, most: number): boolean {
  return text === undefined || (/^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= most);
}

function isName(name: string): boolean {
  const labels = name.split('.');
  // Lenient parsers read a last label of digits or 0x… as a number.
  const isNumber = /^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '');
  return name.length <= NAME_MAX && labels.every((label) => LABEL.test(label)) && !isNumber;
}

function arePorts(text: string | undefined): boolean {
  if (text === undefined) return true;
  const [from = '', to = from, ...more] = text.split('-');
  return isPort(from) && isPort(to) && Number(from) <= Number(to) && more.length === 0;
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;
}
