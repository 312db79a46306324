/** What one sandbox is made from. */
import type { HostFacts } from './host.ts';
import type { SandboxConfig } from './schema.ts';
import type { Source } from './spec.ts';

export interface SandboxInput {
  /** Templates, project and sandbox, merged */
  config: SandboxConfig;
  sources: Record<string, Source>;
  /** The project's own file */
  file: string;
  /** Its folder */
  dir: string;
  host: HostFacts;
}
