/** Resolves `[[ports]]` after templates were merged, and rejects two entries for one port of the host. Pure. */
import type { SbxError } from '../../errors.ts';
import type { PortSpec, Source } from '../../spec/spec.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** Entries with `auto` open nothing by themselves: see `offersPorts`. @throws SbxError `config-invalid`, with the place. */
export function portsOf({ config, sources }: SandboxInput): PortSpec[] {
  const found: PortSpec[] = [];
  for (const [index, { guest, host, address, auto }] of (config.ports ?? []).entries()) {
    if (guest === 'auto') {
      rejectMore(sources[`ports[${index}]`] ?? 'default', { host, address, auto });
      continue;
    }
    const one: PortSpec = {
      guest,
      host: host ?? guest,
      ...(address === undefined ? {} : { address }),
      ...(auto === true ? { auto } : {}),
      source: sources[`ports[${index}]`] ?? 'default',
    };
    const other = found.find((known) => collides(known, one));
    if (other !== undefined) throw taken(one, other, sources[`ports[${index}].host`] ?? one.source);
    found.push(one);
  }
  return found;
}

/** Whether `sbx ports` asks about what starts to listen inside. */
export function offersPorts({ config }: Pick<SandboxInput, 'config'>): boolean {
  return (config.ports ?? []).some(({ guest }) => guest === 'auto');
}

/** Where each goes is decided when it is asked about. */
function rejectMore(source: Source, fields: Record<string, unknown>): void {
  const [field] = Object.entries(fields).find(([, value]) => value !== undefined) ?? [];
  if (field !== undefined)
    throw problem(source, `ports: guest = "auto" takes no ${field}`, {
      why: 'nothing is opened by itself: `sbx ports` asks about each port',
      hint: `remove ${field}, or write the number of the port`,
    });
}

/** With `auto`, the second takes a free port. */
function collides(known: PortSpec, one: PortSpec): boolean {
  if (one.host === 0) return isSame(known, one);
  return known.host === one.host && known.address === one.address && (one.auto !== true || isSame(known, one));
}

function isSame(known: PortSpec, one: PortSpec): boolean {
  return known.guest === one.guest && known.host === one.host && known.address === one.address;
}

function taken({ host, guest }: PortSpec, other: PortSpec, source: Source): SbxError {
  if (other.guest === guest) return problem(source, `ports: ${guest} is listed twice`, { hint: 'remove one entry' });
  const place = other.source === 'default' ? '' : ` (${other.source.file}:${other.source.line})`;
  return problem(source, `ports: the port ${host} of the host is used twice`, {
    why: `it leads to the port ${other.guest} already${place}`,
    hint: 'write another `host`, or `auto = true` for a free one',
  });
}
