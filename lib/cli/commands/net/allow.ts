/** `sbx net allow`: allows a host for one sandbox, or writes it into sandbox.toml. */
import type { DaemonClient } from '../../../api/client.ts';
import { shortPath } from '../../../config/load/load-project.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { entryOf, rulesOf, secondsOf } from './live-rule.ts';
import { saveAllow } from './save-allow.ts';

type Input = Run<{ for?: string; save: boolean }, [string, string?]>;

export async function allow(input: Input): Promise<number> {
  const { context, flags, args } = input;
  const entry = entryOf('allow', args[0]);
  if (flags.save && flags.for !== undefined)
    throw new SbxError('usage', '--save and --for are mutually exclusive', {
      why: 'a saved entry is valid until it is removed from the file',
      hint: 'remove one of them',
    });
  const client = await daemonOf(context);
  await (flags.save ? save(input, client, entry) : grant(input, client, entry));
  return 0;
}

async function grant({ context, cwd, view, flags, args }: Input, client: DaemonClient, entry: string): Promise<void> {
  const seconds = secondsOf(flags.for);
  const sandbox = await resolveSandbox(client, cwd, args[1]);
  const rules = await rulesOf(entry, context);
  const result = await client.allow(sandbox.id, { rules, ...(seconds === undefined ? {} : { seconds }) });
  const until = result.grants.at(-1)?.until;
  const how = until === undefined ? 'until `sbx net revoke`' : `until ${until}`;
  const when = result.live ? 'at once' : 'from its next start on';
  view.result(
    { sandbox: sandbox.name, entry, until: until ?? null, live: result.live, saved: false },
    `${entry} is allowed for ${sandbox.name} ${how}, ${when}`,
  );
}

async function save({ context, cwd, view, args }: Input, client: DaemonClient, entry: string): Promise<void> {
  const saved = await saveAllow({ context, client, cwd, entries: [entry], sandbox: args[1], approve: true });
  const next = saved.approved
    ? '`sbx apply` applies it without a question'
    : '`sbx apply` asks for approval: the file has other changes that are not approved';
  view.result(
    { sandbox: args[1] ?? null, entry, file: saved.file, approved: saved.approved, saved: true },
    `${entry} is in ${shortPath(saved.file, cwd)}; ${next}`,
  );
}
