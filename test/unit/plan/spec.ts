import type { ObservedSandbox, Step } from '../../../lib/plan/types.ts';
import type { Desired } from '../../../lib/spec/desired.ts';
import type { NetworkRule, SandboxSpec } from '../../../lib/spec/spec.ts';

export const FILE = '/project/sandbox.toml';

export function rule(pattern: string, line = 1, preset?: string): NetworkRule {
  return { text: preset ?? pattern, pattern, trusted: preset !== undefined, source: { file: FILE, line, column: 1 } };
}

export function spec(change: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    name: 'shop',
    image: { base: 'debian:bookworm' },
    packages: { apt: [], npm: [], pip: [], setup: [] },
    workspace: { path: '/project', mode: 'mount', hide: [], readonly: [], unprotect: [] },
    mounts: [],
    network: { mode: 'enforce', allow: [], deny: [], http: [] },
    credentials: [],
    resources: { cpus: 2, memoryBytes: 2 ** 31, diskBytes: 20 * 2 ** 30 },
    env: {},
    lifecycle: { restart: 'on-failure', idleSeconds: 0, pool: 0 },
    agent: {
      name: undefined,
      command: [],
      headless: [],
      mcpFile: undefined,
      mcpFormat: undefined,
    },
    sources: {},
    ...change,
  };
}

export const hash = (of: SandboxSpec) =>
  JSON.stringify([of.network.allow.map(({ pattern }) => pattern), of.network.deny.map(({ pattern }) => pattern)]);

export function running(applied: SandboxSpec, change: Partial<ObservedSandbox> = {}): ObservedSandbox {
  return {
    name: applied.name,
    exists: true,
    applied,
    running: true,
    power: 'on',
    generation: 1,
    boot: 1,
    exit: undefined,
    ready: true,
    networkHash: hash(applied),
    warmKey: 'k',
    ...change,
  };
}

/** The desired state of a sandbox that was never reset or restarted. */
export function want(of: SandboxSpec | undefined, change: Partial<Desired> = {}): Desired {
  return { spec: of, power: 'on', generation: 1, boot: 1, ...change };
}

export const apply = { mode: 'apply', networkHash: hash } as const;
export const reconcile = { mode: 'reconcile', networkHash: hash } as const;

export const actions = (steps: Step[]) => steps.map(({ action }) => action);
