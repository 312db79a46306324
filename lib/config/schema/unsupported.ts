/** Lists the fields that are not implemented yet: valid in the file, rejected by `apply`, never ignored. Pure. */
import type { Place } from '../../errors.ts';
import type { Source } from '../../spec/spec.ts';
import type { SandboxConfig } from './schema.ts';

const isFilled = (value: object | undefined) => Object.keys(value ?? {}).length > 0;

const CHECKS: [path: string, wanted: (config: SandboxConfig) => boolean][] = [
  ['mcp.servers', (config) => isFilled(config.mcp?.servers)],
];

export const UNSUPPORTED: string[] = CHECKS.map(([path]) => path);

export function listUnsupported(
  config: SandboxConfig,
  sources: Record<string, Source>,
): { path: string; source: Place }[] {
  return CHECKS.filter(([, wanted]) => wanted(config)).flatMap(([path]) => {
    const source = sources[path];
    return source === undefined || source === 'default' ? [] : [{ path, source }];
  });
}
