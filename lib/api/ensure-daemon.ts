/** Connects to the user's daemon and starts it on demand. Loads little: every command imports it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, type LaunchOptions, running } from './connection.ts';

/** A connection whose requests reach a daemon of this build, started on demand. */
export function launching({ home, distDir, say }: LaunchOptions): Connection {
  const build = readBuild(distDir);
  const revive = async () => {
    const { startDaemon } = await import('./start-daemon.ts');
    return startDaemon({ home, distDir, build, say });
  };
  return { ...running(home), revival: { build, revive } };
}

/** The same bundles in another folder are another build: a daemon loads parts of its own when it needs them, and its folder may be gone by then. */
export function readBuild(distDir: string): string {
  const { build } = JSON.parse(readFileSync(join(distDir, 'build.json'), 'utf8')) as { build: string };
  return `${build} in ${distDir}`;
}
