/** From the command line to a project and its sandboxes. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import type { HostFacts } from '../config/load.ts';
import type { HostRegistries } from '../config/presets.ts';
import type { ProjectSpec } from '../config/spec.ts';
import type { SandboxStatus } from '../daemon/api.ts';
import { chooseSandbox } from '../daemon/choose-sandbox.ts';
import type { DaemonClient } from '../daemon/client.ts';
import { launching, readBuild } from '../daemon/launch.ts';
import { type OpenGuest, openGuest } from '../daemon/open-guest.ts';
import { ownProject } from '../daemon/own-project.ts';
import type { Home } from '../paths.ts';
import type { SbxContext } from './context.ts';

export async function readProject(context: Pick<SbxContext, 'home'>, cwd: string): Promise<ProjectSpec> {
  const { loadProject } = await import('../config/load.ts');
  return loadProject({ cwd, host: hostFacts(context.home) });
}

/** The same, for who wants it often: read anew only when something of it has changed. */
export async function recallProject({ home, distDir }: SbxContext, cwd: string): Promise<ProjectSpec> {
  const { loadRemembered } = await import('../config/remembered.ts');
  return loadRemembered({
    cwd,
    host: hostFacts(home),
    memory: { dir: home.specs, build: readBuild(distDir) },
    load: async (host) => (await import('../config/load.ts')).loadProject({ cwd, host }),
  });
}

function hostFacts(home: Home): HostFacts {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?`, 'm').exec(text)?.[1] ?? '';
  return {
    cpus: cpus().length,
    home: homedir(),
    os: { id: field('ID'), codename: field('VERSION_CODENAME') },
    registries: () => registriesOf(home),
    stateDir: home.root,
  };
}

/** What this host's own npm, APT and pip configuration names. */
export async function registriesOf(home: Home): Promise<HostRegistries> {
  const { readRegistries } = await import('../config/presets.ts');
  return readRegistries(`${home.root}/registries.json`);
}

export async function daemonOf(context: SbxContext): Promise<DaemonClient> {
  const { DaemonClient } = await import('../daemon/client.ts');
  return new DaemonClient(launching(context));
}

/** Into a sandbox by one request. @throws SbxError `not-found`, `ambiguous-name`: see `chooseSandbox`; `not-running`. */
export function guestOf(context: SbxContext, cwd: string, name: string | undefined): Promise<OpenGuest> {
  return openGuest(launching(context), { cwd, name });
}

/** @throws SbxError `not-found`, `ambiguous-name`: see `chooseSandbox`. */
export async function resolveSandbox(
  client: DaemonClient,
  cwd: string,
  name: string | undefined,
): Promise<SandboxStatus> {
  const all = await client.list();
  return chooseSandbox(all, ownProject(cwd, all), name);
}

/** All sandboxes of the folder's project. */
export async function ownSandboxes(client: DaemonClient, cwd: string): Promise<SandboxStatus[]> {
  const all = await client.list();
  const dir = ownProject(cwd, all);
  return all.filter(({ projectDir }) => projectDir === dir);
}
