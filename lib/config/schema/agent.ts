/** The table of the agent itself. */
import { z } from 'zod';
import { envValue, list, name, text } from './fields.ts';

export const agentTable = z
  .strictObject({
    name: name.meta({ description: 'What the agent is called' }).optional(),
    command: list(text).min(1).meta({ description: 'Interactive command: program and arguments' }).optional(),
    headless: list(text)
      .min(1)
      .meta({ description: 'Headless command; `{prompt}` is replaced by the prompt' })
      .optional(),
    args: list(text)
      .meta({ description: 'More arguments for both commands, before `{prompt}`', default: [] })
      .optional(),
    mcp_file: text.meta({ description: "The agent's file, inside, that lists MCP servers" }).optional(),
    mcp_format: z.enum(['json', 'toml']).meta({ description: 'Format of that file' }).optional(),
    files: z
      .record(text, envValue)
      .meta({
        description:
          'Files inside, path → content, baked with the packages; `~` is the home folder of the user `agent`. One that begins with `#!` may be run',
      })
      .optional(),
  })
  .meta({
    description: 'The agent itself, for templates; in a project as a table it changes parts of what a template gave',
  });

export type AgentTable = z.infer<typeof agentTable>;
