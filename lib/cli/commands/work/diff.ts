/** `sbx diff`: what a sandbox has that the host has not. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DiffResult } from '../../../api/work-contract.ts';
import type { Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { printable } from '../../view/printable.ts';

type Input = Run<{ patch: boolean }, [string?, string?]>;

export async function diff({ context, cwd, args, flags, view }: Input): Promise<number> {
  const client = await daemonOf(context);
  const { patch } = flags;
  const { id, name } = await resolveSandbox(client, cwd, args[0]);
  const path = args[1] === undefined ? {} : { path: resolve(realpathSync(cwd), args[1]) };
  const result = await follow(view, `looking into ${name}`, (signal, onEvent) =>
    client.diff(id, { patch, ...path }, { signal, onEvent }),
  );
  // A patch whose bytes are changed does not apply. On a terminal, the view makes them visible.
  view.result(result, patch ? result.diff.replace(/\n$/, '') : shown(result, name));
  return 0;
}

function shown(result: DiffResult, name: string): string {
  const changes = printable(textOf(result)) || `${name}: no changes`;
  const { kept = [] } = result;
  return kept.length === 0 ? changes : `${changes}\nkept over reset and rm, not shown: ${kept.join(', ')}`;
}

function textOf({ diff: text, isPartial = false }: DiffResult): string {
  return isPartial ? `${text}(there is more than is shown)` : text.replace(/\n$/, '');
}
