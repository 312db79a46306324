/** Which sources of templates and images an organisation's policy lets in. Pure: nothing is fetched or resolved. */
import { type Place, SbxError } from '../../errors.ts';
import type { Source } from '../../spec/spec.ts';

/** The part of a policy that is asked here; undefined: it names no registries */
export interface SourcePolicy {
  registries?: { entries: string[]; place: Place } | undefined;
}

/** `host[:port]`, and below it segments of a path */
const ENTRY =
  /^(?<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::(?<port>[1-9][0-9]{0,4}))?(?<path>(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*)$/;
/** What a server, a proxy and a client read in different ways */
const UNCLEAR = /[\\%\s\p{Cc}\p{Cf}]|\/\/|(?:^|\/)\.\.?(?:\/|$)/u;
const DEFAULT_PORTS: Record<string, string> = { 'https:': '443', 'ssh:': '22' };

interface Location {
  host: string;
  /** Undefined: the default of the scheme */
  port: string | undefined;
  segments: string[];
}

/** Whether a text can be an entry of `[templates] registries`. */
export function isRegistry(text: string): boolean {
  return locationOf(text) !== undefined;
}

/**
 * Whether a template or an image may come from there. All may where the policy names no registries.
 * @param url `git+https://…` or `git+ssh://…`, or `oci:` with a reference to an image. All else is refused where there is a list, an image without a
 * registry as well: who serves it is not in its name.
 */
export function allowsSource({ registries }: SourcePolicy, url: string): boolean {
  if (registries === undefined) return true;
  const found = url.startsWith('oci:') ? imageLocation(url.slice('oci:'.length)) : gitLocation(url);
  return found !== undefined && registries.entries.some((entry) => covers(locationOf(entry), found));
}

/** @throws SbxError `refused-policy` with the place of the source, and that of the list in the policy */
export function checkSource({ registries }: SourcePolicy, url: string, source?: Source): void {
  if (registries === undefined || allowsSource({ registries }, url)) return;
  const { file, line } = registries.place;
  throw new SbxError('refused-policy', `${JSON.stringify(url.slice(0, 200))} is not from an allowed registry`, {
    ...(source === undefined || source === 'default' ? {} : { place: source }),
    why: `the policy of this machine says so: ${file}:${line}`,
    hint:
      registries.entries.length === 0 ? 'use what lies in the project' : `use one of ${registries.entries.join(', ')}`,
  });
}

function locationOf(text: string): Location | undefined {
  const found = ENTRY.exec(text)?.groups;
  if (found === undefined || UNCLEAR.test(text) || Number(found['port'] ?? 1) > 65_535) return undefined;
  return { host: found['host'] ?? '', port: found['port'], segments: segmentsOf(found['path'] ?? '') };
}

/** By Docker's rule: a first part with a dot or a port, or `localhost`, is a host. */
function imageLocation(reference: string): Location | undefined {
  const [name = ''] = reference.split('@');
  const slash = name.indexOf('/');
  const host = name.slice(0, Math.max(slash, 0)).toLowerCase();
  if (!/[.:]|^localhost$/.test(host)) return undefined;
  const found = locationOf(`${host}${name.slice(slash).replace(/:[^/:]*$/, '')}`);
  return found === undefined ? undefined : { ...found, port: found.port === '443' ? undefined : found.port };
}

function gitLocation(text: string): Location | undefined {
  const [address = ''] = text.split(/[?#]/);
  const scheme = /^git\+((?:https|ssh):)\/\/[^/]/.exec(address)?.[1];
  if (scheme === undefined || UNCLEAR.test(address.slice(address.indexOf('://') + 3)) || !URL.canParse(address))
    return undefined;
  // With `git+` no rule of a scheme changes host or port. The user is not part of who serves it.
  const { hostname, port, pathname } = new URL(address);
  const found = locationOf(`${hostname.toLowerCase()}${port === '' ? '' : `:${port}`}`);
  if (found === undefined) return undefined;
  const { host } = found;
  return { host, port: port === DEFAULT_PORTS[scheme] ? undefined : found.port, segments: segmentsOf(pathname) };
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** Whole segments: `acme` does not cover `acme-other`. */
function covers(entry: Location | undefined, { host, port, segments }: Location): boolean {
  if (entry === undefined || entry.host !== host || entry.port !== port) return false;
  return entry.segments.every((segment, index) => segment === segments[index]);
}
