/** Lists the fields that are not implemented yet: valid in the file, rejected by `apply`, never ignored. Pure. */
import type { Place } from '../../errors.ts';
import type { Source } from '../../spec/spec.ts';
import type { SandboxConfig } from './schema.ts';

const CHECKS: [path: string, wanted: (config: SandboxConfig) => boolean][] = [
  ['image.base', (config) => config.image?.base?.startsWith('oci:') === true],
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
