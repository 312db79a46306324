/** ls and inspect. */
import type { SandboxStatus } from '../../../api/contract.ts';
import { command, maybeName } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { columns } from '../../view/columns.ts';

export const ls = command({
  brief: 'Lists the sandboxes',
  parameters: {},
  async run({ context, view }) {
    const list = await (await daemonOf(context)).list();
    view.result(list, list.length === 0 ? 'no sandboxes; `sbx init` begins one' : table(list));
    return 0;
  },
});

export const inspect = command<object, [string?]>({
  brief: 'Shows everything about one sandbox',
  parameters: { positional: maybeName() },
  async run({ context, cwd, view, args }) {
    const client = await daemonOf(context);
    const detail = await client.inspect((await resolveSandbox(client, cwd, args[0])).id);
    view.result(detail, JSON.stringify(detail, null, 2));
    return 0;
  },
});

function table(list: SandboxStatus[]): string {
  return columns([
    ['NAME', 'PROJECT', 'STATE', 'AGENT', 'IMAGE', 'CPUS', 'MEMORY'],
    ...list.map((one) => [
      one.name,
      one.project,
      one.state,
      one.agent ?? '-',
      one.image,
      String(one.cpus),
      `${Math.round(one.memoryBytes / 1024 ** 2)} MiB`,
    ]),
  ]);
}
