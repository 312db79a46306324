/** `sbx secret rm`: removes a secret from this host. */
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';
import { scopeOf, scopeText } from './secret-scope.ts';

type Input = Run<{ sandbox?: string }, [string]>;

export async function rm({ context, flags, args, cwd, view }: Input): Promise<number> {
  const [name] = args;
  const scope = await scopeOf(flags, cwd);
  const { removed } = await (await daemonOf(context)).removeSecret({ name, scope });
  if (!removed)
    throw new SbxError('not-found', `no secret "${name}" with scope ${scopeText(scope)}`, {
      why: 'it was not set with this scope, or is removed already',
      hint: '`sbx secret ls` shows the scope of each; --project and --sandbox select another scope',
    });
  view.result({ name, scope, removed }, `${name} is removed (scope: ${scopeText(scope)})`);
  return 0;
}
