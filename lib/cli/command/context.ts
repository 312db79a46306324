/** The context of every command: the process, the state folder, the bundles. */
import type { LaunchOptions } from '../../api/connection.ts';
import { homeOf } from '../../paths.ts';
import { inOneLine } from '../view/printable.ts';

export interface SbxContext extends LaunchOptions {
  process: NodeJS.Process;
}

export function createContext(distDir: string): SbxContext {
  const say = (text: string) => void process.stderr.write(`sbx: ${inOneLine(text)}\n`);
  return { process, home: homeOf(), distDir, say };
}
