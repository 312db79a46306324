/** `sbx ls`: lists the sandboxes. */
import type { SandboxStatus } from '../../../api/contract.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';
import { columns } from '../../view/columns.ts';

export async function ls({ context, view }: Run): Promise<number> {
  const list = await (await daemonOf(context)).list();
  view.result(list, list.length === 0 ? 'no sandboxes; run `sbx init` to begin' : table(list));
  return 0;
}

function table(list: SandboxStatus[]): string {
  return columns([
    ['NAME', 'PROJECT', 'STATE', 'AGENT', 'IMAGE', 'CPUS', 'MEMORY', 'FOLDER'],
    ...list.map((one) => [
      one.name,
      one.project,
      one.state,
      one.agent ?? '-',
      one.image,
      String(one.cpus),
      `${Math.round(one.memoryBytes / 1024 ** 2)} MiB`,
      one.workspace,
    ]),
  ]);
}
