/** `sbx diff`: what a clone has that the host has not. */
import type { Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { printable } from '../../view/printable.ts';

export async function diff({ context, cwd, args, flags, view }: Run<{ patch: boolean }, [string?]>): Promise<number> {
  const client = await daemonOf(context);
  const { patch } = flags;
  const { id, name } = await resolveSandbox(client, cwd, args[0]);
  const result = await follow(view, `looking into ${name}`, (signal, onEvent) =>
    client.diff(id, { patch }, { signal, onEvent }),
  );
  const text = result.diff.replace(/\n$/, '');
  // A patch whose bytes are changed does not apply. On a terminal, the view makes them visible.
  view.result(result, patch ? text : printable(text) || `${name}: no changes`);
  return 0;
}
