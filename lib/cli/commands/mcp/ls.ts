/** `sbx mcp ls`: lists the MCP servers of a sandbox and their tools, with the withheld ones and why. */
import { readFileSync } from 'node:fs';
import { readState } from '../../../mcp/state.ts';
import { instancePaths } from '../../../paths.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { columns } from '../../view/columns.ts';
import { inOneLine } from '../../view/printable.ts';

const WHY = {
  offered: '',
  changed: 'withheld: its description changed since it was approved',
  new: 'withheld: it is new since the server was approved',
  filtered: 'withheld by tools in sandbox.toml',
  'bad-name': 'withheld: no agent can call this name',
};

export async function ls({ context, cwd, view, args }: Run<object, [string?]>): Promise<number> {
  const { id, name } = await resolveSandbox(await daemonOf(context), cwd, args[0]);
  const paths = instancePaths(context.home, id).mcp;
  const { servers } = readState(paths.state);
  const note = noteOf(paths.note);
  const rows = servers.flatMap((server) => [
    ...(server.problem === undefined ? [] : [[server.name, '-', '-', `not running: ${server.problem}`]]),
    ...server.tools.map((tool) => [server.name, tool.name, tool.as ?? '-', WHY[tool.state]]),
  ]);
  const table = columns([['SERVER', 'TOOL', 'CALLED', 'NOTE'], ...rows])
    .split('\n')
    .map(inOneLine)
    .join('\n');
  const text = servers.length === 0 ? `${name} has no MCP servers: [mcp.servers] in sandbox.toml names them` : table;
  const problem = note === undefined ? {} : { problem: note };
  view.result({ servers, ...problem }, note === undefined ? text : `${text}\n${inOneLine(note)}`);
  return 0;
}

function noteOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
