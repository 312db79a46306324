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
    ['NAME', 'PROJECT', 'STATE', 'AGENT', 'IMAGE', 'CPUS', 'MEMORY', 'DISK', 'FOLDER'],
    ...list.map((one) => [
      one.name,
      one.project,
      [one.state, ...troublesOf(one)].join(', '),
      one.agent ?? '-',
      one.image,
      String(one.cpus),
      mebibytes(one.memoryBytes),
      mebibytes(one.diskBytes),
      one.workspace,
    ]),
  ]);
}

/** What a row has to say of a sandbox that runs, in words. */
function troublesOf({ state, conditions }: SandboxStatus): string[] {
  if (state !== 'running') return [];
  const isFalse = (type: string) => conditions.some((one) => one.type === type && !one.status);
  return [...(isFalse('Ready') ? ['no answer'] : []), ...(isFalse('MemoryAvailable') ? ['out of memory'] : [])];
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
