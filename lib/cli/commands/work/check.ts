/** `sbx workspace check`: what a sandbox may do with a path, with the rule. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';

export async function check({ context, cwd, args, view }: Run<object, [string, string?]>): Promise<number> {
  const client = await daemonOf(context);
  const { id, name } = await resolveSandbox(client, cwd, args[1]);
  const path = resolve(realpathSync(cwd), args[0]);
  const result = await client.checkPath(id, { path: args[0].endsWith('/') ? `${path}/` : path });
  const lines = [`${result.path || '.'} in ${name}`, ...result.lines.map((line) => `  ${line}`)];
  view.result(result, lines.map(inOneLine).join('\n'));
  return 0;
}
