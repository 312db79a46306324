/** Fields whose feature is still to come: valid in the file, refused by `apply`, never ignored. Pure. */
import type { Place } from '../errors.ts';
import type { SandboxConfig } from './schema.ts';
import type { Source } from './spec.ts';

const CHECKS: [path: string, wanted: (config: SandboxConfig) => boolean][] = [
  ['docker.enabled', (config) => config.docker?.enabled === true],
  ['ports', (config) => (config.ports ?? []).length > 0],
  ['services', (config) => (config.services ?? []).length > 0],
  ['credentials', (config) => (config.credentials ?? []).length > 0],
  ['mcp.servers', (config) => Object.keys(config.mcp?.servers ?? {}).length > 0],
  ['workspace.mode', (config) => config.workspace?.mode === 'clone'],
  ['network.http', (config) => (config.network?.http ?? []).length > 0],
  ['network.mode', (config) => config.network?.mode === 'observe'],
  ['lifecycle.pool', (config) => (config.lifecycle?.pool ?? 0) > 0],
  ['lifecycle.idle', (config) => config.lifecycle?.idle !== undefined && config.lifecycle.idle !== '0'],
  ['image.base', (config) => config.image?.base?.startsWith('oci:') === true],
];

export function listUnsupported(
  config: SandboxConfig,
  sources: Record<string, Source>,
): { path: string; source: Place }[] {
  return CHECKS.filter(([, wanted]) => wanted(config)).flatMap(([path]) => {
    const source = sources[path] ?? sources[`${path}[0]`];
    return source === undefined || source === 'default' ? [] : [{ path, source }];
  });
}
