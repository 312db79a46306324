/** From the command line to a project and its sandboxes. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { join } from 'node:path';
import type { HostFacts } from '../config/load.ts';
import type { HostRegistries } from '../config/presets.ts';
import type { ProjectSpec } from '../config/spec.ts';
import type { SandboxStatus } from '../daemon/api.ts';
import type { DaemonClient } from '../daemon/client.ts';
import type { Home } from '../paths.ts';
import { chooseSandbox, projectDirOf } from './choose-sandbox.ts';
import type { SbxContext } from './context.ts';

export async function readProject(context: Pick<SbxContext, 'home'>, cwd: string): Promise<ProjectSpec> {
  const { loadProject } = await import('../config/load.ts');
  return loadProject({ cwd, host: await hostFacts(context.home) });
}

async function hostFacts(home: Home): Promise<HostFacts> {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?`, 'm').exec(text)?.[1] ?? '';
  return {
    cpus: cpus().length,
    home: homedir(),
    os: { id: field('ID'), codename: field('VERSION_CODENAME') },
    registries: () => registriesOf(home),
  };
}

/** What this host's own npm, APT and pip configuration names. */
export async function registriesOf(home: Home): Promise<HostRegistries> {
  const { readRegistries } = await import('../config/presets.ts');
  return readRegistries(`${home.root}/registries.json`);
}

export async function daemonOf(context: SbxContext): Promise<DaemonClient> {
  const { connectDaemon } = await import('../daemon/launch.ts');
  return connectDaemon({ home: context.home, distDir: context.distDir });
}

/** @throws SbxError `not-found`, `ambiguous-name`: see `chooseSandbox`. */
export async function resolveSandbox(
  client: DaemonClient,
  cwd: string,
  name: string | undefined,
): Promise<SandboxStatus> {
  const all = await client.list();
  return chooseSandbox(all, await ownProject(cwd, all), name);
}

/** All sandboxes of the folder's project. */
export async function ownSandboxes(client: DaemonClient, cwd: string): Promise<SandboxStatus[]> {
  const all = await client.list();
  const dir = await ownProject(cwd, all);
  return all.filter(({ projectDir }) => projectDir === dir);
}

export async function ownProject(cwd: string, all: SandboxStatus[]): Promise<string | undefined> {
  return projectDirOf(realpathSync.native(cwd), all, (dir) => existsSync(join(dir, 'sandbox.toml')));
}
