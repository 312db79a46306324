/** Names of the host's services: `<name>.host.sbx` leads to what `[[services]]` names, and nothing else does. Pure. */
import type { McpServerSpec, ServiceSpec, ServiceTarget, Source } from '../../spec/spec.ts';
import type { PolicyRule } from './types.ts';

const DOMAIN = 'host.sbx';
/** No entry of `[[services]]` can have this name */
export const SIGNER = { host: `git.sign.${DOMAIN}`, port: 22 } as const;
/** As that of the signer */
export const MCP = { host: `gateway.mcp.${DOMAIN}`, port: 80 } as const;
export const MCP_URL = `http://${MCP.host}/mcp`;

/** Also of a name that no service has. */
export function isServiceName(host: string): boolean {
  return host === DOMAIN || host.endsWith(`.${DOMAIN}`);
}

/** `guestFolders`: folders that a guest may write; no socket is dialled that a link there leads to. */
export function serviceRule({ name, port, target, source }: ServiceSpec, guestFolders: string[]): PolicyRule {
  const pattern = `${name}.${DOMAIN}:${port}`;
  const place = source === 'default' ? {} : { file: source.file, line: source.line };
  const service = 'path' in target ? { ...target, guestFolders } : target;
  return { pattern, text: `${pattern} ([[services]], ${textOfTarget(target)})`, service, ...place };
}

/** `[git] sign`: the filter before the ssh agent of the host. */
export function signerRule(source: Source): PolicyRule {
  const pattern = `${SIGNER.host}:${SIGNER.port}`;
  const place = source === 'default' ? {} : { file: source.file, line: source.line };
  return { pattern, text: `${pattern} ([git] sign)`, service: { signer: true }, ...place };
}

/** `[mcp.servers.*]`: one endpoint for all of them. */
export function mcpRule({ source }: Pick<McpServerSpec, 'source'>): PolicyRule {
  const pattern = `${MCP.host}:${MCP.port}`;
  const place = source === 'default' ? {} : { file: source.file, line: source.line };
  return { pattern, text: `${pattern} ([mcp.servers])`, service: { mcp: true }, ...place };
}

function textOfTarget(target: ServiceTarget): string {
  if ('path' in target) return target.path;
  return `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
}
