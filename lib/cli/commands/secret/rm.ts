/** `sbx secret rm`. */
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';
import { scopeOf, scopeText } from './secret-scope.ts';

export async function removeSecret({
  context,
  flags,
  args,
  cwd,
  view,
}: Run<{ sandbox?: string }, [string]>): Promise<number> {
  const [name] = args;
  const scope = await scopeOf(flags, cwd);
  const { removed } = await (await daemonOf(context)).removeSecret({ name, scope });
  if (!removed)
    throw new SbxError('not-found', `there is no secret "${name}" for ${scopeText(scope)}`, {
      why: 'it was never set with this scope, or removed before',
      hint: '`sbx secret ls` shows each with its scope: --project and --sandbox name another one',
    });
  view.result({ name, scope, removed }, `${name} is removed (it was for ${scopeText(scope)})`);
  return 0;
}
