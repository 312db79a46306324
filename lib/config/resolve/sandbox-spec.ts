/** Resolves merged values into the spec of one sandbox: defaults, sizes, absolute paths. */
import { stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Place } from '../../errors.ts';
import { isReference } from '../../registry/reference.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import { parseDuration, parseSize } from '../../spec/units.ts';
import { agentOf } from './agent.ts';
import { credentialsOf } from './credentials.ts';
import { fromFile, mountsOf, workspaceOf } from './folders.ts';
import { mcpServersOf } from './mcp.ts';
import { networkOf } from './network.ts';
import { offersPorts, portsOf } from './ports.ts';
import { problem } from './problem.ts';
import { repositoryOf } from './repository.ts';
import type { SandboxInput } from './sandbox-input.ts';
import { servicesOf } from './services.ts';
import { signingKeyOf } from './signing-key.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const LIMITS = {
  memory: { least: 256 * MIB, most: 1024 * GIB, words: 'between 256MiB and 1TiB' },
  // The base image has this size (sparse).
  disk: { least: 10 * GIB, most: 64 * 1024 * GIB, words: 'between 10GiB and 64TiB' },
};

const DISTRIBUTIONS = ['debian', 'ubuntu'];
const FALLBACK = 'debian:bookworm';

/** @throws SbxError `config-invalid`, with the place. */
export async function buildSandbox(input: SandboxInput): Promise<Omit<SandboxSpec, 'name'>> {
  const { config, sources, host } = input;
  const { apt = [], npm = [], pip = [], setup = [] } = config.packages ?? {};
  const { workspace = {}, resources = {}, lifecycle = {} } = config;
  const path = await workspaceOf(input);
  const isServed = workspace.mode !== 'clone' && workspace.git_repository !== false;
  const repository = isServed ? await repositoryOf(path, host) : undefined;
  const services = await servicesOf(input);
  const ports = portsOf(input);
  const mcp = await mcpServersOf(input, path);
  const signingKey = await signingKeyOf(input);
  return {
    image: { base: await baseOf(input) },
    packages: { apt, npm, pip, setup },
    workspace: {
      path,
      ...rulesOf(workspace),
      ...(repository === undefined ? {} : { repository: repository.folder }),
      ...(repository?.top === undefined ? {} : { repositoryTop: repository.top }),
      ...(workspace.git_identity === false ? { gitIdentity: false } : {}),
    },
    mounts: await mountsOf(input),
    network: await networkOf(input),
    credentials: credentialsOf(input),
    ...(services.length === 0 ? {} : { services }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(offersPorts(input) ? { offerPorts: true as const } : {}),
    ...(mcp.length === 0 ? {} : { mcp }),
    resources: {
      cpus: resources.cpus ?? Math.max(1, Math.min(2, host.cpus)),
      memoryBytes: sizeOf(input, 'memory', resources.memory ?? '2GiB'),
      diskBytes: sizeOf(input, 'disk', resources.disk ?? '20GiB'),
    },
    ...(signingKey === undefined ? {} : { git: { signingKey } }),
    ...(config.docker?.enabled === true ? { docker: { enabled: true } } : {}),
    env: config.env ?? {},
    lifecycle: {
      restart: lifecycle.restart ?? 'on-failure',
      idleSeconds: parseDuration(lifecycle.idle ?? '0') ?? 0,
      ...(lifecycle.idle_action === 'suspend' && { idleAction: 'suspend' as const }),
      pool: lifecycle.pool ?? 0,
    },
    agent: agentOf(input),
    sources: repository === undefined ? sources : { ...sources, ...placesOf(repository.top ?? path) },
  };
}

/** What `[workspace]` says of its files */
function rulesOf(workspace: NonNullable<SandboxInput['config']['workspace']>): Omit<SandboxSpec['workspace'], 'path'> {
  return {
    mode: workspace.mode ?? 'mount',
    ...(workspace.uncommitted === undefined ? {} : { uncommitted: workspace.uncommitted }),
    hide: workspace.hide ?? [],
    readonly: (workspace.readonly ?? []).map(cleanPath),
    ...(workspace.private === undefined ? {} : { private: workspace.private }),
    unprotect: (workspace.unprotect ?? []).map(cleanPath),
  };
}

function placesOf(tree: string): Record<'workspace.repository' | 'workspace.repositoryTop', Place> {
  const place = { file: join(tree, '.git'), line: 1, column: 1 };
  return { 'workspace.repository': place, 'workspace.repositoryTop': place };
}

/** `[image] base`; a path becomes absolute. */
async function baseOf(input: SandboxInput): Promise<string> {
  const { config, sources, host } = input;
  const base = config.image?.base;
  if (base === undefined)
    return DISTRIBUTIONS.includes(host.os.id) && /^[a-z]+$/.test(host.os.codename)
      ? `${host.os.id}:${host.os.codename}`
      : FALLBACK;
  if (/^(debian|ubuntu):[a-z]+$/.test(base)) return base;
  const source = sources['image.base'];
  if (base.startsWith('oci:')) {
    if (isReference(base.slice('oci:'.length))) return base;
    throw problem(source, `image.base: invalid image reference "${base}"`, {
      hint: 'write "oci:registry.example.com/team/image:tag" or "oci:…/image@sha256:<64 hexadecimal digits>"',
    });
  }
  if (!isAbsolute(base) && (base.includes(':') || !/\/|\.tar(\.\w+)?$/.test(base)))
    throw problem(source, `image.base: unknown kind of image "${base}"`, {
      hint: `write "debian:<suite>" or "ubuntu:<suite>" (the suite's code name, such as "${FALLBACK}"), "oci:<reference>", or the path of a tar`,
    });
  const path = fromFile(base, source, input);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return path;
  throw problem(source, `image.base: ${base} is not a file`, {
    why: `${path} ${found === undefined ? 'does not exist' : 'is not a regular file'}`,
    hint: 'use the path of a root-filesystem tar, or "debian:<suite>"',
  });
}

function sizeOf({ sources }: SandboxInput, field: 'memory' | 'disk', text: string): number {
  const bytes = parseSize(text) ?? 0;
  const { least, most, words } = LIMITS[field];
  if (bytes < least || bytes > most)
    throw problem(
      sources[`resources.${field}`],
      `resources.${field}: ${text} is too ${bytes < least ? 'small' : 'large'}`,
      {
        hint: `write a size ${words}`,
      },
    );
  return Math.ceil(bytes / MIB) * MIB;
}

function cleanPath(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '.' && part !== '')
    .join('/');
}
