/** The commands of `sbx mcp`. */
import { command } from '../../command/command.ts';
import { count, maybeName, text, toggle, word } from '../../command/parameters.ts';

export const mcpRoutes = {
  ls: command({
    brief: 'Lists the MCP servers of a sandbox and their tools',
    parameters: { positional: maybeName() },
    load: async () => (await import('./ls.ts')).ls,
  }),
  log: command({
    brief: 'Shows the calls of MCP tools, with their arguments and results',
    parameters: { flags: { lines: count('Only the last calls') }, aliases: { n: 'lines' }, positional: maybeName() },
    load: async () => (await import('./log.ts')).log,
  }),
  accept: command({
    brief: 'Approves the tools of an MCP server as they are now',
    examples: ['sbx mcp accept github'],
    parameters: {
      flags: {
        sandbox: text('The sandbox; default: the only one'),
        acceptWidening: toggle('Ask nothing: accept what changed'),
      },
      positional: word('An MCP server, as in [mcp.servers]', 'server'),
    },
    load: async () => (await import('./accept.ts')).accept,
  }),
};
