/** Lists the files that a spec was read from. */
import type { SandboxSpec } from './spec.ts';

/** sandbox.toml and the templates of the project */
export function configFilesOf(spec: SandboxSpec): string[] {
  return [...new Set(Object.values(spec.sources).flatMap((source) => (source === 'default' ? [] : [source.file])))];
}
