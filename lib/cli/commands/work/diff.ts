/** `sbx diff`: what a clone has that the host has not. */
import type { Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { printable } from '../../view/printable.ts';

export async function diff({ context, cwd, args, view }: Run<object, [string?]>): Promise<number> {
  const client = await daemonOf(context);
  const { id, name } = await resolveSandbox(client, cwd, args[0]);
  const result = await follow(view, `looking into ${name}`, (signal, onEvent) => client.diff(id, { signal, onEvent }));
  view.result(result, printable(result.diff.trimEnd()) || `${name}: no changes`);
  return 0;
}
