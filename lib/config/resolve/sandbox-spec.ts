/** Resolves merged values into the spec of one sandbox: defaults, sizes, absolute paths. */
import type { Place } from '../../errors.ts';
import type { SandboxSpec } from '../../spec/spec.ts';
import { parseDuration, parseSize } from '../../spec/units.ts';
import type { AgentTable } from '../schema/agent.ts';
import { agentFilesOf } from './agent-files.ts';
import { baseOf } from './base-image.ts';
import { credentialsOf } from './credentials.ts';
import { mountsOf, workspaceOf } from './folders.ts';
import { rulesOf } from './network-rules.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const LIMITS = {
  memory: { least: 256 * MIB, most: 1024 * GIB, words: 'between 256MiB and 1TiB' },
  // The base image has this size (sparse).
  disk: { least: 10 * GIB, most: 64 * 1024 * GIB, words: 'between 10GiB and 64TiB' },
};

const BANDWIDTH_LEAST = 16 * 1024;

/** @throws SbxError `config-invalid`, with the place. */
export async function buildSandbox(input: SandboxInput): Promise<Omit<SandboxSpec, 'name'>> {
  const { config, sources, host } = input;
  const { packages = {}, workspace = {}, resources = {}, lifecycle = {} } = config;
  return {
    image: { base: await baseOf(input) },
    packages: {
      apt: packages.apt ?? [],
      npm: packages.npm ?? [],
      pip: packages.pip ?? [],
      setup: packages.setup ?? [],
    },
    workspace: {
      path: await workspaceOf(input),
      mode: workspace.mode ?? 'mount',
      hide: workspace.hide ?? [],
      readonly: (workspace.readonly ?? []).map(cleanPath),
      unprotect: (workspace.unprotect ?? []).map(cleanPath),
    },
    mounts: await mountsOf(input),
    network: await networkOf(input),
    credentials: credentialsOf(input),
    resources: {
      cpus: resources.cpus ?? Math.max(1, Math.min(2, host.cpus)),
      memoryBytes: sizeOf(input, 'memory', resources.memory ?? '2GiB'),
      diskBytes: sizeOf(input, 'disk', resources.disk ?? '20GiB'),
    },
    env: config.env ?? {},
    lifecycle: {
      restart: lifecycle.restart ?? 'on-failure',
      idleSeconds: parseDuration(lifecycle.idle ?? '0') ?? 0,
      pool: lifecycle.pool ?? 0,
    },
    agent: agentOf(input),
    sources,
  };
}

async function networkOf(input: SandboxInput): Promise<SandboxSpec['network']> {
  const { mode = 'enforce', bandwidth, http = [] } = input.config.network ?? {};
  return {
    mode,
    allow: await rulesOf(input, 'allow'),
    deny: await rulesOf(input, 'deny'),
    ...(bandwidth === undefined ? {} : { bandwidth: bandwidthOf(input, bandwidth) }),
    http: http.map(({ host, methods = [], paths = [] }, index) => ({
      host,
      methods,
      paths,
      source: input.sources[`network.http[${index}]`] ?? 'default',
    })),
  };
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

/** Below this, the overhead of a connection alone would stall it. */
function bandwidthOf({ sources }: SandboxInput, text: string): number {
  const bytes = parseSize(text) ?? 0;
  if (bytes >= BANDWIDTH_LEAST) return bytes;
  throw problem(sources['network.bandwidth'], `network.bandwidth: ${text} is too small`, {
    hint: 'write at least "16KiB", or remove the field for no limit',
  });
}

function agentOf(input: SandboxInput): SandboxSpec['agent'] {
  const table: AgentTable = typeof input.config.agent === 'object' ? input.config.agent : {};
  const { args = [] } = table;
  const files = agentFilesOf(input);
  const template = agentTemplateOf(input);
  return {
    name: table.name,
    command: [...(table.command ?? []), ...(table.command === undefined ? [] : args)],
    headless: withArgs(table.headless ?? [], args),
    mcpFile: table.mcp_file,
    mcpFormat: table.mcp_format,
    ...(Object.keys(files).length === 0 ? {} : { files }),
    ...(template === undefined ? {} : { template }),
  };
}

/** The first field that the project did not set itself: a project may change a command and keeps the template. */
function agentTemplateOf({ sources, file }: SandboxInput): string | undefined {
  return ['agent.command', 'agent.headless', 'agent.name', 'agent.mcp_file']
    .map((path) => sources[path])
    .find((source): source is Place => source !== undefined && source !== 'default' && source.file !== file)?.file;
}

/** Inserts the arguments before the prompt, which ends the options. */
function withArgs(command: string[], args: string[]): string[] {
  const at = command.findIndex((word) => word.includes('{prompt}'));
  if (command.length === 0) return [];
  return at < 0 ? [...command, ...args] : [...command.slice(0, at), ...args, ...command.slice(at)];
}

function cleanPath(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '.' && part !== '')
    .join('/');
}
