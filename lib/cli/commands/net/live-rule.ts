/** Reads the arguments of the commands that change a sandbox's network rules at once. */
import type { AllowRequest } from '../../../api/live-contract.ts';
import type { SandboxStatus } from '../../../api/sandbox-status.ts';
import { SbxError } from '../../../errors.ts';
import { parsePattern, presetOf } from '../../../spec/network-pattern.ts';
import { parseDuration } from '../../../spec/units.ts';
import type { SbxContext } from '../../command/context.ts';
import { registriesOf } from '../../command/project.ts';

/** An entry of a network list, in lower case. @throws SbxError `usage` */
export function entryOf(list: 'allow' | 'deny' | 'network', word: string): string {
  const entry = word.toLowerCase();
  if (parsePattern(entry)) return entry;
  throw new SbxError('usage', `invalid ${list} entry: ${word}`, {
    hint: 'write host, host:port, *.host, **.host, an address or CIDR, or preset:npm (apt, pip, cargo, go, maven, rubygems); no scheme, no path',
  });
}

/** Of `--for`. @throws SbxError `usage` */
export function secondsOf(text: string | undefined): number | undefined {
  const seconds = text === undefined ? undefined : parseDuration(text);
  if (text === undefined || (seconds !== undefined && seconds !== 0)) return seconds;
  throw new SbxError('usage', `invalid duration: ${text}`, { hint: 'write a number and s, m, h or d: --for 1h' });
}

/** A preset is the hosts of this host's own configuration, which may resolve to private addresses. */
export async function rulesOf(entry: string, context: SbxContext): Promise<AllowRequest['rules']> {
  const preset = presetOf(entry);
  if (preset === undefined) return [{ pattern: entry, text: entry, trusted: false }];
  const hosts = (await registriesOf(context.home)).hosts[preset];
  if (hosts.length === 0)
    throw new SbxError('config-invalid', `${entry} has no hosts`, {
      why: 'the configuration of this host names no registry of that kind',
      hint: 'name the hosts themselves',
    });
  return hosts.map(({ host, port }) => ({ pattern: `${host}:${port}`, text: entry, trusted: true }));
}

/** `net allow` takes a sandbox after the host, these commands take more hosts. @throws SbxError `usage` */
export function assertNoSandbox(entries: readonly string[], all: readonly Pick<SandboxStatus, 'name' | 'id'>[]): void {
  const name = entries.find((entry) => all.some((one) => one.name === entry || one.id === entry));
  if (name === undefined || entries.length === 1) return;
  throw new SbxError('usage', `${name} is a sandbox, not a host`, {
    why: 'this command takes any number of hosts',
    hint: `name the sandbox with --sandbox ${name}`,
  });
}
