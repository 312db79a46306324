/** The facts of the host that loading depends on, passed in so that tests are independent of the host. */
import type { HostRegistries } from './presets.ts';

export interface HostFacts {
  cpus: number;
  /** The user's home folder */
  home: string;
  /** From os-release */
  os: { id: string; codename: string };
  /** Called only if a list uses a preset */
  registries: () => Promise<HostRegistries>;
  /** State folder of sbx, which no workspace may contain */
  stateDir?: string;
}
