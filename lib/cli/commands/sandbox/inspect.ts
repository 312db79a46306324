/** `sbx inspect`: shows everything about one sandbox. */
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';

export async function inspect({ context, cwd, view, args }: Run<object, [string?]>): Promise<number> {
  const client = await daemonOf(context);
  const detail = await client.inspect((await resolveSandbox(client, cwd, args[0])).id);
  view.result(detail, JSON.stringify(detail, null, 2));
  return 0;
}
