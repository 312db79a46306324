/** `sbx mcp accept`: approves the tools of an MCP server as they are now. */
import { SbxError } from '../../../errors.ts';
import { acceptTools } from '../../../mcp/pins.ts';
import { type McpState, readState } from '../../../mcp/state.ts';
import { instancePaths } from '../../../paths.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';

type Input = Run<{ sandbox?: string; acceptWidening: boolean }, [string?]>;

export async function accept({ context, cwd, view, flags, args }: Input): Promise<number> {
  const { id, name } = await resolveSandbox(await daemonOf(context), cwd, flags.sandbox);
  const paths = instancePaths(context.home, id).mcp;
  const server = readState(paths.state).servers.find((one) => one.name === args[0]);
  if (server === undefined)
    throw new SbxError('usage', `${name} has no MCP server ${args[0]}`, { hint: '`sbx mcp ls` lists them' });
  const changed = server.tools.filter(({ state }) => state === 'changed' || state === 'new');
  if (changed.length > 0 && !flags.acceptWidening) await ask(view, changed);
  // What was shown is approved, and not what the server may say meanwhile.
  acceptTools(paths.pins, server.name, Object.fromEntries(server.tools.map((tool) => [tool.name, tool.hash])));
  const accepted = changed.map((tool) => tool.name);
  const text = accepted.length === 0 ? 'nothing has changed' : `accepted: ${accepted.join(', ')}`;
  view.result({ server: server.name, accepted }, inOneLine(`${server.name}: ${text}`));
  return 0;
}

async function ask(view: Input['view'], changed: McpState['servers'][number]['tools']): Promise<void> {
  const lines = changed.map(({ name, state, description }) => inOneLine(`  ${name} (${state}): ${description}`));
  const answer = await view.confirm(`These tools change what the agent reads:\n${lines.join('\n')}\nAccept them?`);
  if (answer === true) return;
  if (answer === false)
    throw new SbxError('cancelled', 'cancelled: nothing was changed', { hint: 'the tools stay withheld' });
  throw new SbxError('refused-widening', 'the tools of an MCP server changed, and nothing was accepted', {
    why: view.json ? '--json asks no questions' : 'stdin or stderr is not a terminal',
    hint: 'look at `sbx mcp ls --json`, then add --accept-widening',
  });
}
