/** `sbx net deny`: denies hosts for one sandbox at once, whatever allows them. */

import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { assertNoSandbox, entryOf, rulesOf, secondsOf } from './live-rule.ts';

export async function deny(input: Run<{ for?: string; sandbox?: string }, string[]>): Promise<number> {
  const { context, cwd, view, flags, args } = input;
  const entries = [...new Set(args.map((word) => entryOf('deny', word)))];
  const seconds = secondsOf(flags.for);
  const client = await daemonOf(context);
  assertNoSandbox(entries, await client.list());
  const sandbox = await resolveSandbox(client, cwd, flags.sandbox);
  const rules = (await Promise.all(entries.map((entry) => rulesOf(entry, context)))).flat();
  const result = await client.deny(sandbox.id, { rules, ...(seconds === undefined ? {} : { seconds }) });
  const until = result.denials.at(-1)?.until;
  const how = until === undefined ? 'until `sbx net revoke`' : `until ${until}`;
  const when = result.live ? 'at once' : 'from its next start on';
  view.result(
    { sandbox: sandbox.name, entries, until: until ?? null, live: result.live },
    `${entries.join(', ')} ${entries.length === 1 ? 'is' : 'are'} denied for ${sandbox.name} ${how}, ${when}`,
  );
  return 0;
}
