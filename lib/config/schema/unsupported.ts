/** Lists the fields that are not implemented yet: valid in the file, rejected by `apply`, never ignored. Pure. */
import type { Place } from '../../errors.ts';
import type { Source } from '../../spec/spec.ts';
import type { SandboxConfig } from './schema.ts';

const isFilled = (value: object | undefined) => Object.keys(value ?? {}).length > 0;

/** `at`: the path of the value that is not supported, where that is not the field as a whole */
const CHECKS: [path: string, wanted: (config: SandboxConfig) => boolean, at?: (config: SandboxConfig) => string][] = [
  ['docker.enabled', (config) => config.docker?.enabled === true],
  ['mcp.servers', (config) => isFilled(config.mcp?.servers)],
  ['image.base', (config) => config.image?.base?.startsWith('oci:') === true],
];

export const UNSUPPORTED: string[] = CHECKS.map(([path]) => path);

export function listUnsupported(
  config: SandboxConfig,
  sources: Record<string, Source>,
): { path: string; source: Place }[] {
  return CHECKS.filter(([, wanted]) => wanted(config)).flatMap(([path, , at]) => {
    // The place of an array of tables is that of its first entry.
    const source = at === undefined ? (sources[`${path}[0]`] ?? sources[path]) : sources[at(config)];
    return source === undefined || source === 'default' ? [] : [{ path, source }];
  });
}
