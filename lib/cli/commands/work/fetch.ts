/** `sbx fetch`: brings the commits of a clone back as a branch. */
import type { FetchResult } from '../../../api/work-contract.ts';
import type { Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';

export async function fetch({
  context,
  cwd,
  args,
  flags,
  view,
}: Run<{ revision?: string; force: boolean }, [string?]>): Promise<number> {
  const client = await daemonOf(context);
  const { id, name } = await resolveSandbox(client, cwd, args[0]);
  const { force, revision } = flags;
  const body = { force, ...(revision === undefined ? {} : { revision }) };
  const result = await follow(view, `fetching from ${name}`, (signal, onEvent) =>
    client.fetch(id, body, { signal, onEvent }),
  );
  view.result(result, describe(result));
  return 0;
}

function describe({ branch, commit, commits, files, notes }: FetchResult): string {
  return [
    `${branch} is at ${commit.slice(0, 12)}: commits: ${commits}, files: ${files}`,
    ...notes.map((note) => `look at ${inOneLine(note)}`),
    `see it with \`git log -p ..${branch}\``,
  ].join('\n');
}
