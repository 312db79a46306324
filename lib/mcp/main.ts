/** The process of the MCP gateway of one sandbox: ends with its parent, and the servers with it. */
import type { McpConfig } from './config.ts';
import { openEndpoint } from './endpoint.ts';
import { McpGateway } from './gateway.ts';

const RETRY_MS = 5_000;

let text = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  if (text.includes('\n')) return;
  text += chunk;
  if (text.includes('\n')) void serve(JSON.parse(text) as McpConfig);
});
// The daemon ended, also by kill -9.
process.stdin.on('close', () => process.exit(0));

async function serve(config: McpConfig): Promise<void> {
  const gateway = new McpGateway(config);
  await openEndpoint(config.socket, gateway);
  process.stdout.write('ready\n');
  await gateway.refresh();
  // Servers that failed start again without a request, and `sbx mcp ls` shows it.
  setInterval(() => void gateway.refresh(), RETRY_MS);
}
