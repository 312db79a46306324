/** The schema of the `[agent]` table. */
import { z } from 'zod';
import { envValue, homePath, list, name, text } from './fields.ts';

export const agentTable = z
  .strictObject({
    name: name.meta({ description: 'Name of the agent' }).optional(),
    command: list(text).min(1).meta({ description: 'Interactive command: program and arguments' }).optional(),
    headless: list(text)
      .min(1)
      .meta({ description: 'Headless command; `{prompt}` is replaced by the prompt' })
      .optional(),
    args: list(text)
      .meta({ description: 'Extra arguments for both commands, before `{prompt}`', default: [] })
      .optional(),
    mcp_file: text.meta({ description: "Path in the sandbox of the agent's file that lists MCP servers" }).optional(),
    mcp_format: z.enum(['json', 'toml']).meta({ description: 'Format of that file' }).optional(),
    mcp_entry: text
      .meta({
        description:
          'What is merged into that file for the MCP servers of `[mcp]`, in its format; `{url}` is the URL of their endpoint',
      })
      .optional(),
    files: z
      .record(text, envValue)
      .meta({
        description:
          'Files in the sandbox, path → content, built into the image with the packages; `~` is the home folder of the user `agent`. A file that begins with `#!` is executable',
      })
      .optional(),
    keep: list(homePath, 16)
      .meta({
        description:
          'Folders in the home folder of the user `agent` that outlive the disk: `reset`, `rm` and rebuilds keep them',
        default: [],
      })
      .optional(),
    keep_except: list(homePath, 100)
      .meta({
        description: 'Files and folders in `keep` that go with the disk, such as the tokens of a login',
        default: [],
      })
      .optional(),
  })
  .meta({
    description: 'The agent, for templates. In a project, the table overrides fields of the template',
  });

export type AgentTable = z.infer<typeof agentTable>;
