/** From the command line to a project and its sandboxes. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import type { DaemonClient } from '../../api/client.ts';
import type { SandboxStatus } from '../../api/contract.ts';
import { launching, readBuild } from '../../api/ensure-daemon.ts';
import { type OpenGuest, openGuest } from '../../api/guest-upgrade.ts';
import { ownProject } from '../../api/project-dir.ts';
import { chooseSandbox } from '../../api/resolve-sandbox.ts';
import type { HostFacts } from '../../config/load/load-project.ts';
import type { HostRegistries } from '../../config/resolve/presets.ts';
import { SbxError } from '../../errors.ts';
import type { Home } from '../../paths.ts';
import type { ProjectSpec } from '../../spec/spec.ts';
import type { View } from '../view/types.ts';
import type { SbxContext } from './context.ts';

export async function readProject(context: Pick<SbxContext, 'home'>, cwd: string): Promise<ProjectSpec> {
  const { loadProject } = await import('../../config/load/load-project.ts');
  return loadProject({ cwd, host: hostFacts(context.home) });
}

/** The same, for who wants it often: read anew only when something of it has changed. */
export async function recallProject({ home, distDir }: SbxContext, cwd: string): Promise<ProjectSpec> {
  const { loadRemembered } = await import('../../config/load/remembered.ts');
  return loadRemembered({
    cwd,
    host: hostFacts(home),
    memory: { dir: home.specs, build: readBuild(distDir) },
    load: async (host) => (await import('../../config/load/load-project.ts')).loadProject({ cwd, host }),
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
  const { readRegistries } = await import('../../config/resolve/presets.ts');
  return readRegistries(`${home.root}/registries.json`);
}

export async function daemonOf(context: SbxContext): Promise<DaemonClient> {
  const { DaemonClient } = await import('../../api/client.ts');
  return new DaemonClient(launching(context));
}

export interface Entering {
  context: SbxContext;
  cwd: string;
  name: string | undefined;
  view: View;
}

/**
 * Into a sandbox by one request; one that was stopped since nobody used it is started first.
 * @throws SbxError `not-found`, `ambiguous-name`: see `chooseSandbox`; `not-running`.
 */
export async function guestOf({ context, cwd, name, view }: Entering): Promise<OpenGuest> {
  const enter = () => openGuest(launching(context), { cwd, name });
  return enter().catch(async (error: unknown) => {
    if (!(error instanceof SbxError && error.code === 'stopped-idle')) throw error;
    const client = await daemonOf(context);
    const sandbox = await resolveSandbox(client, cwd, name);
    const { follow } = await import('./follow.ts');
    await follow(view, `starting ${sandbox.name}: ${error.why}`, (signal, onEvent) =>
      client.start(sandbox.id, { signal, onEvent }),
    );
    return enter();
  });
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
