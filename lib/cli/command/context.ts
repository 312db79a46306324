/** What every command gets: the process, the state folder, ways to the daemon and to the project. */
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
