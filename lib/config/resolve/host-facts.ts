/** What loading needs to know of the host: passed in, so that a file means the same everywhere in tests. */
import type { HostRegistries } from './presets.ts';

export interface HostFacts {
  cpus: number;
  /** The user's home folder */
  home: string;
  /** From os-release */
  os: { id: string; codename: string };
  /** Asked only when a list names a preset */
  registries: () => Promise<HostRegistries>;
  /** State folder of sbx, which no workspace may hold */
  stateDir?: string;
}
