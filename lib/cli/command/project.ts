/** Finds the project, the daemon and the sandbox of a command. */
import type { DaemonClient } from '../../api/client.ts';
import { launching } from '../../api/ensure-daemon.ts';
import { type OpenGuest, openGuest } from '../../api/guest-upgrade.ts';
import type { ProjectRequest } from '../../api/project-contract.ts';
import { ownProject } from '../../api/project-dir.ts';
import { chooseSandbox } from '../../api/resolve-sandbox.ts';
import type { SandboxStatus } from '../../api/sandbox-status.ts';
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

export interface Locking {
  /** See `FetchOptions` */
  update: boolean;
  pin: boolean;
  onFetch?: (text: string) => void;
  signal?: AbortSignal;
}

/** Fetches the templates of repositories that the file uses, and writes sandbox.lock. */
export async function lockTemplates({ home }: Pick<SbxContext, 'home'>, cwd: string, locking: Locking) {
  const { loadProject } = await import('../../config/load/load-project.ts');
  const { hostFacts } = await import('../../config/resolve/host-facts.ts');
  const { fetchingTemplates } = await import('../../config/remote/fetching.ts');
  const fetching = fetchingTemplates({ stateDir: home.root, ...locking });
  await loadProject({ cwd, host: { ...hostFacts(home.root, process.env), templates: fetching.templates } });
  const isWritten = await fetching.write();
  return { pinned: fetching.pinned(), isWritten };
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
 * Opens a sandbox by one request. One that is stopped is started first, and one that is starting is waited for.
 * @throws SbxError `not-found`, `ambiguous-name`: see `chooseSandbox`; and as `start`.
 */
export async function guestOf({ context, cwd, name, view }: Entering): Promise<OpenGuest> {
  const enter = () => openGuest(launching(context), { cwd, name });
  return enter().catch(async (error: unknown) => {
    if (!isDown(error)) throw error;
    const client = await daemonOf(context);
    await startFirst({ client, view, sandbox: await resolveSandbox(client, cwd, name), why: error.why });
    return enter();
  });
}

function isDown(error: unknown): error is SbxError {
  return error instanceof SbxError && (error.code === 'stopped-idle' || error.code === 'not-running');
}

interface Starting {
  client: DaemonClient;
  view: View;
  sandbox: SandboxStatus;
  /** Shown with the progress */
  why?: string | undefined;
}

/** Starts a sandbox that is stopped. Waits for its turn: after a start or an apply that is under way, nothing is left to do. */
export async function startFirst({ client, view, sandbox, why }: Starting): Promise<SandboxStatus> {
  const { follow } = await import('./follow.ts');
  const title = `starting ${sandbox.name}${why === undefined ? '' : `: ${why}`}`;
  return follow(view, title, (signal, onEvent) => client.start(sandbox.id, { signal, onEvent }));
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

export interface OwnSandboxes {
  /** The project's folder; undefined: the folder is in none */
  own: string | undefined;
  all: SandboxStatus[];
  /** Those of the project; outside of one, all */
  list: SandboxStatus[];
}

export async function ownSandboxes(client: DaemonClient, cwd: string): Promise<OwnSandboxes> {
  const all = await client.list();
  const own = ownProject(cwd, all);
  return { own, all, list: own === undefined ? all : all.filter(({ projectDir }) => projectDir === own) };
}
