/** Names of fields as the user writes them. Pure. */

const NAMES: Record<string, string> = {
  'resources.memoryBytes': 'resources.memory',
  'resources.diskBytes': 'resources.disk',
  'lifecycle.idleSeconds': 'lifecycle.idle',
  'lifecycle.idleAction': 'lifecycle.idle_action',
  'agent.mcpFile': 'agent.mcp_file',
  'agent.mcpFormat': 'agent.mcp_format',
  'agent.mcpEntry': 'agent.mcp_entry',
  'agent.keepExcept': 'agent.keep_except',
  mcp: 'mcp.servers',
  'git.signingKey': 'git.sign',
  'workspace.gitIdentity': 'workspace.git_identity',
};

/** The name in sandbox.toml of a field of the spec. */
export function fileName(path: string): string {
  return NAMES[path] ?? path;
}
