/** `sbx apply`: makes the sandboxes match the file. */
import type { ApplyResult } from '../../../api/project-contract.ts';
import type { PortInfo } from '../../../api/sandbox-status.ts';
import { applyProject, noticeLines } from '../../command/apply-project.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';

type Input = Run<{ yes: boolean; acceptWidening: boolean; discard: boolean; rebuild: boolean }, string[]>;

export async function apply({ context, cwd, view, flags, args }: Input): Promise<number> {
  const { yes, acceptWidening, discard, rebuild } = flags;
  const client = await daemonOf(context);
  const result = await applyProject({ context, client, view, cwd, only: args, yes, acceptWidening, discard, rebuild });
  view.result(result, describe(result));
  return 0;
}

/** None for a port of a sandbox that does not run. */
function portLine(name: string, { guest, url, problem }: PortInfo): string[] {
  if (url !== null) return [`${name}: port ${guest} at ${url}`];
  return problem === null ? [] : [inOneLine(`${name}: port ${guest} is not open: ${problem}`)];
}

function describe(result: ApplyResult): string {
  const done =
    result.steps.length === 0 ? ['nothing to do'] : result.sandboxes.map((one) => `${one.name}: ${one.state}`);
  const ports = result.sandboxes.flatMap((one) => one.ports.flatMap((port) => portLine(one.name, port)));
  return [...done, ...ports, ...noticeLines(result.notices)].join('\n');
}
