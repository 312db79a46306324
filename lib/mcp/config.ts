/** What the process of the MCP gateway of one sandbox is started with. */
import type { McpServerSpec } from '../spec/spec.ts';

export interface McpConfig {
  /** Unix socket of the endpoint */
  socket: string;
  /** One JSON line for each call */
  log: string;
  /** Servers and tools as they are now (JSON), for `sbx mcp ls` */
  state: string;
  /** Hashes of the approved tools (JSON) */
  pins: string;
  bwrap: string;
  servers: Pick<McpServerSpec, 'name' | 'command' | 'folders' | 'tools'>[];
}

export type McpServer = McpConfig['servers'][number];
