/** `sbx apply`: makes the sandboxes match the file. */
import type { ApplyResult } from '../../../api/contract.ts';
import { applyProject, noticeLines } from '../../command/apply-project.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';

type Input = Run<{ yes: boolean; acceptWidening: boolean; discard: boolean; rebuild: boolean }, string[]>;

export async function apply({ context, cwd, view, flags, args }: Input): Promise<number> {
  const { yes, acceptWidening, discard, rebuild } = flags;
  const client = await daemonOf(context);
  const result = await applyProject({ context, client, view, cwd, only: args, yes, acceptWidening, discard, rebuild });
  view.result(result, describe(result));
  return 0;
}

function describe(result: ApplyResult): string {
  const done =
    result.steps.length === 0 ? ['nothing to do'] : result.sandboxes.map((one) => `${one.name}: ${one.state}`);
  return [...done, ...noticeLines(result.notices)].join('\n');
}
