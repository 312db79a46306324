/** The input from which one sandbox is resolved. */
import type { Source } from '../../spec/spec.ts';
import type { SandboxConfig } from '../schema/schema.ts';
import type { HostFacts } from './host-facts.ts';

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
