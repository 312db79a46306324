/** The context of every command: the process, the state folder, the bundles. */
import { type Home, homeOf } from '../../paths.ts';

export interface SbxContext {
  process: NodeJS.Process;
  home: Home;
  /** Folder of the bundles */
  distDir: string;
}

export function createContext(distDir: string): SbxContext {
  return { process, home: homeOf(), distDir };
}
