/** Finds the project, the daemon and the sandbox of a command. */
import type { DaemonClient } from '../../api/client.ts';
import type { ProjectRequest, SandboxStatus } from '../../api/contract.ts';
import { launching } from '../../api/ensure-daemon.ts';
import { type OpenGuest, openGuest } from '../../api/guest-upgrade.ts';
import { ownProject } from '../../api/project-dir.ts';
import { chooseSandbox } from '../../api/resolve-sandbox.ts';
import type { HostRegistries } from '../../config/registries/read-registries.ts';
import { SbxError } from '../../errors.ts';
import type { Home } from '../../paths.ts';
import type { View } from '../view/types.ts';
import type { SbxContext } from './context.ts';

/** Loads the file here, for commands that need no daemon. */
export async function readProject({ home }: Pick<SbxContext, 'home'>, cwd: string) {
  const { loadProject } = await import('../../config/load/load-project.ts');
  const { hostFacts } = await import('../../config/resolve/host-facts.ts');
  return loadProject({ cwd, host: hostFacts(home.root, process.env) });
}

/** The registries of this host's own npm, APT and pip configuration. */
export async function registriesOf(home: Home): Promise<HostRegistries> {
  const { readRegistries } = await import('../../config/registries/read-registries.ts');
  return readRegistries(`${home.root}/registries.json`);
}

/** Names the project whose file the daemon loads. */
export function projectAt({ process }: SbxContext, cwd: string): ProjectRequest {
  return { cwd, env: process.env };
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
 * Opens a sandbox by one request. One that an idle stop ended is started first.
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
