/** What `net allow` does: checks the entry, then grants it or saves it. Returns the exit code. */

import type { DaemonClient } from '../../../api/client.ts';
import type { AllowRequest } from '../../../api/contract.ts';
import { shortPath } from '../../../config/load/load-project.ts';
import { SbxError } from '../../../errors.ts';
import { parsePattern, presetOf } from '../../../spec/network-pattern.ts';
import { parseDuration } from '../../../spec/units.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, registriesOf, resolveSandbox } from '../../command/project.ts';
import { saveAllow } from './save-allow.ts';

export type AllowInput = Run<{ for?: string; save: boolean }, [string, string?]>;

export async function allowHost(input: AllowInput): Promise<number> {
  const { context, flags, args } = input;
  const entry = args[0].toLowerCase();
  if (!parsePattern(entry))
    throw new SbxError('usage', `${args[0]} is no entry of [network] allow`, {
      hint: 'write host, host:port, *.host, **.host, an address or CIDR, or preset:npm, preset:apt, preset:pip; no scheme, no path',
    });
  if (flags.save && flags.for !== undefined)
    throw new SbxError('usage', '--save and --for do not go allOrAbort', {
      why: 'what is saved holds until it is removed from the file',
      hint: 'leave one of them out',
    });
  const client = await daemonOf(context);
  await (flags.save ? save(input, client, entry) : grant(input, client, entry));
  return 0;
}

async function grant(
  { context, cwd, view, flags, args }: AllowInput,
  client: DaemonClient,
  entry: string,
): Promise<void> {
  const seconds = flags.for === undefined ? undefined : parseDuration(flags.for);
  if (flags.for !== undefined && (seconds === undefined || seconds === 0))
    throw new SbxError('usage', `--for ${flags.for} is no duration`, {
      hint: 'write a number with s, m, h or d: --for 1h',
    });
  const sandbox = await resolveSandbox(client, cwd, args[1]);
  const rules = await rulesOf(entry, context);
  const result = await client.allow(sandbox.id, { rules, ...(seconds === undefined ? {} : { seconds }) });
  const until = result.grants.at(-1)?.until;
  const how = until === undefined ? 'until it is removed' : `until ${until}`;
  const when = result.live ? 'at once' : 'when it runs again';
  view.result(
    { sandbox: sandbox.name, entry, until: until ?? null, live: result.live, saved: false },
    `${entry} is allowed for ${sandbox.name} ${how}, ${when}`,
  );
}

async function save({ context, cwd, view, args }: AllowInput, client: DaemonClient, entry: string): Promise<void> {
  const saved = await saveAllow({ context, client, cwd, entries: [entry], sandbox: args[1], approve: true });
  view.result(
    { sandbox: args[1] ?? null, entry, file: saved.file, approved: saved.approved, saved: true },
    `${entry} is in ${shortPath(saved.file, cwd)}; ${
      saved.approved
        ? '`sbx apply` puts it into force and asks nothing'
        : '`sbx apply` will ask: the file holds more that was not approved'
    }`,
  );
}

/** A preset stands for the hosts of this host's own configuration, which may lead to private addresses. */
async function rulesOf(entry: string, context: AllowInput['context']): Promise<AllowRequest['rules']> {
  const preset = presetOf(entry);
  if (preset === undefined) return [{ pattern: entry, text: entry, trusted: false }];
  const hosts = (await registriesOf(context.home)).hosts[preset];
  if (hosts.length === 0) throw new SbxError('config-invalid', `${entry} names no host on this machine`);
  return hosts.map(({ host, port }) => ({ pattern: `${host}:${port}`, text: entry, trusted: true }));
}
