/** apply: from the file to the machines. */
import type { ApplyResult } from '../../../api/contract.ts';
import { applyProject, noticeLines } from '../../command/apply-project.ts';
import { command, names } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';

export const apply = command<{ yes: boolean; acceptWidening: boolean }, string[]>({
  brief: 'Makes the sandboxes what sandbox.toml says',
  parameters: {
    flags: {
      yes: { kind: 'boolean', brief: 'Ask nothing; changes that widen are still refused', default: false },
      acceptWidening: { kind: 'boolean', brief: 'Accept changes that give a sandbox more', default: false },
    },
    aliases: { y: 'yes' },
    positional: names('Sandboxes; default: all of the project'),
  },
  async run({ context, cwd, view, flags, args }) {
    const { yes, acceptWidening } = flags;
    const client = await daemonOf(context);
    const result = await applyProject({ context, client, view, cwd, only: args, yes, acceptWidening });
    view.result(result, describe(result));
    return 0;
  },
});

function describe(result: ApplyResult): string {
  const done =
    result.steps.length === 0 ? ['nothing to do'] : result.sandboxes.map((one) => `${one.name}: ${one.state}`);
  return [...done, ...noticeLines(result.notices)].join('\n');
}
