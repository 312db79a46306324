/** The way to the user's daemon, which is started when it is needed. Little is loaded here: every command comes by. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Home, socketPath } from '../paths.ts';
import { DaemonClient } from './client.ts';

export interface LaunchOptions {
  home: Home;
  /** Folder of the bundles */
  distDir: string;
}

/** What is asked of it finds a daemon of this build, started on demand. */
export function connectDaemon({ home, distDir }: LaunchOptions): DaemonClient {
  const path = socketPath(home.daemon.socket);
  const build = readBuild(distDir);
  const revive = async () => {
    const { startDaemon } = await import('./start-daemon.ts');
    await startDaemon(new DaemonClient(path), { home, distDir, build });
  };
  return new DaemonClient(path, { build, revive });
}

/** The running daemon, or undefined. */
export async function findDaemon(home: Home): Promise<DaemonClient | undefined> {
  const client = new DaemonClient(socketPath(home.daemon.socket));
  return (await client.status().catch(() => undefined)) === undefined ? undefined : client;
}

/** The same bundles in another folder are another build: a daemon loads parts of its own when it needs them, and its folder may be gone by then. */
export function readBuild(distDir: string): string {
  const { build } = JSON.parse(readFileSync(join(distDir, 'build.json'), 'utf8')) as { build: string };
  return `${build} in ${distDir}`;
}
