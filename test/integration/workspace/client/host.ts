/** A host for the tests of the workspace servers: a home, projects, the daemon's client, and sandboxes that are fake VMs. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Home, homeOf, workspacePaths } from '../../../../lib/paths.ts';
import type { Follow } from '../../../../lib/workspace/client/follow.ts';
import type { ServedFolder } from '../../../../lib/workspace/client/served-folders.ts';
import { endServer, findServer } from '../../../../lib/workspace/client/server-process.ts';
import { type Guest, WorkspaceServers } from '../../../../lib/workspace/client/servers.ts';

export const DIST = join(import.meta.dirname, '../../../../dist');

type Rules = NonNullable<ServedFolder['rules']>;

export class Host implements AsyncDisposable {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-servers-')));
  readonly home: Home = homeOf({ SBX_HOME: join(this.dir, 'home') });
  readonly warnings: string[] = [];
  readonly #clients: WorkspaceServers[] = [];
  /** Of servers whose folder a test removed */
  readonly strays = new Set<number>();

  /** The client of a daemon; each call stands for one more daemon. */
  client(distDir = DIST, follow?: Follow): WorkspaceServers {
    const log = { info: () => {}, warn: (text: string) => this.warnings.push(text), error: () => {} };
    const client = new WorkspaceServers({ home: this.home, distDir, log, ...(follow === undefined ? {} : { follow }) });
    this.#clients.push(client);
    return client;
  }

  guest(id: string): Guest {
    const folder = join(this.home.instances, id);
    mkdirSync(folder, { recursive: true });
    return { id, recordFile: join(folder, 'workspace.json'), privateLayer: join(folder, 'private') };
  }

  /** Makes a folder with one file. */
  folder(name: string, options: Partial<ServedFolder> = {}): ServedFolder {
    const path = join(this.dir, name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'file'), `${name}'s content`);
    return { name: 'ws', path, isFile: false, readonly: false, ...options };
  }

  keys(): string[] {
    return readdirSync(this.home.workspaces);
  }

  pidOf(key = this.keys()[0] ?? ''): number | undefined {
    return findServer(workspacePaths(this.home, key))?.pid;
  }

  /** The processes whose parent is `pid`, and theirs */
  processesBelow(pid: number): number[] {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    return children.flatMap((child) => [child, ...this.processesBelow(child)]);
  }

  /** Names of the link folders beside this one */
  linksOf(link: string): string[] {
    return readdirSync(dirname(link));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    for (const pid of this.strays) kill(pid);
    for (const key of keysIn(this.home)) {
      const pid = this.pidOf(key);
      if (pid !== undefined) signal(pid, 'SIGCONT');
      await endServer(workspacePaths(this.home, key));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export function rules(lists: Partial<Record<'hide' | 'readonly', string[]>>): Rules {
  const entries = (texts: string[] = []) => texts.map((text) => ({ text, source: 'default' as const }));
  const none = { private: [], unprotect: [], configFiles: [], named: [] };
  return { hide: entries(lists.hide), readonly: entries(lists.readonly), ...none };
}

export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

export function kill(pid: number): void {
  signal(pid, 'SIGKILL');
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

function keysIn({ workspaces }: Home): string[] {
  try {
    return readdirSync(workspaces);
  } catch {
    return [];
  }
}
