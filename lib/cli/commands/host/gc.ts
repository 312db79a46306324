/** `sbx gc`: frees layers that no sandbox uses. */
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';

export async function gc({ context, view, flags }: Run<{ dryRun: boolean }>): Promise<number> {
  const result = await (await daemonOf(context)).gc({ dryRun: flags.dryRun });
  const size = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  const lines = result.items.map(
    (item) => `${size(item.bytes).padStart(12)}  ${item.kind}-${item.key}: ${item.reason}`,
  );
  view.result(result, [...lines, `${flags.dryRun ? 'would free' : 'freed'} ${size(result.freedBytes)}`].join('\n'));
  return 0;
}
