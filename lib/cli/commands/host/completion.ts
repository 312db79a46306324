/** `sbx completion`: prints the completion script of a shell. */
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { SCRIPTS, SHELLS } from './completion-scripts.ts';

export async function completion({ args, view }: Run<object, [string]>): Promise<number> {
  const [shell] = args;
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined)
    throw new SbxError('usage', `unsupported shell: ${shell}`, {
      why: `supported shells are ${SHELLS.join(', ')}`,
      hint: 'for example, in ~/.bashrc: source <(sbx completion bash)',
    });
  view.result({ shell, script }, script);
  return 0;
}
