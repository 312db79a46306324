/** The effect of a change to each field. A test checks that every field of `SandboxSpec` is listed. Pure. */
import type { SandboxSpec } from '../spec/spec.ts';
import type { Effect } from './types.ts';

type Field<K extends keyof SandboxSpec = keyof SandboxSpec> = K;

/** `undefined`: not part of the desired state */
export const EFFECTS: Record<Field, Record<string, Effect | undefined> | Effect | undefined> = {
  name: undefined,
  sources: undefined,
  // The rest belongs to the digest.
  image: { base: 'rebuild', digest: 'rebuild', env: undefined, user: undefined, workdir: undefined },
  // What is removed, or comes in another order, needs a new disk: see `whyNewDisk`.
  packages: { apt: 'live', npm: 'live', pip: 'live', setup: 'live' },
  workspace: {
    path: 'restart',
    mode: 'rebuild',
    uncommitted: 'live',
    hide: 'live',
    readonly: 'live',
    private: 'live',
    unprotect: 'live',
    gitIdentity: 'restart',
    repository: 'restart',
    repositoryTop: 'restart',
  },
  mounts: 'restart',
  network: { mode: 'live', allow: 'live', deny: 'live', http: 'live', bandwidth: 'live' },
  // A smaller disk would have to be a new one: see `effectOf`.
  resources: { cpus: 'restart', memoryBytes: 'restart', diskBytes: 'live' },
  // Git's configuration is written as the VM starts.
  git: { signingKey: 'restart' },
  docker: { enabled: 'rebuild' },
  credentials: 'live',
  services: 'live',
  ports: 'live',
  offerPorts: 'live',
  // The agent's own file is written as the VM starts.
  mcp: 'restart',
  env: 'live',
  lifecycle: { restart: 'live', idleSeconds: 'live', idleAction: 'live', pool: 'live' },
  agent: {
    name: 'live',
    command: 'live',
    headless: 'live',
    mcpFile: 'live',
    mcpFormat: 'live',
    mcpEntry: 'live',
    files: 'rebuild',
    // Folders are mounted as the VM starts.
    keep: 'restart',
    keepExcept: 'live',
    template: undefined,
  },
};

export function effectOf(path: string, { effect, from, to }: { effect: Effect; from: unknown; to: unknown }): Effect {
  return path === 'resources.diskBytes' && Number(to) < Number(from) ? 'rebuild' : effect;
}

const ORDER: Effect[] = ['none', 'live', 'restart', 'rebuild', 'create', 'destroy'];

export function strongest(effects: Effect[]): Effect {
  return effects.reduce<Effect>((most, one) => (ORDER.indexOf(one) > ORDER.indexOf(most) ? one : most), 'none');
}
