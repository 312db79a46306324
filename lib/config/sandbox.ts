/** Merged values → one `SandboxSpec`: defaults, absolute paths, presets. */
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { type Place, SbxError } from '../errors.ts';
import type { HostFacts } from './load.ts';
import { presetOf } from './network-pattern.ts';
import type { AgentTable, SandboxConfig } from './schema.ts';
import type { MountSpec, NetworkRule, SandboxSpec, Source } from './spec.ts';
import { parseDuration, parseSize } from './units.ts';

export interface SandboxInput {
  name: string;
  config: SandboxConfig;
  sources: Record<string, Source>;
  /** The project's folder */
  dir: string;
  host: HostFacts;
  agentName: string | undefined;
}

const MEMORY_MIN = 256 * 1024 ** 2;
const DISK_MIN = 10 * 1024 ** 3;

export async function buildSandbox(input: SandboxInput): Promise<SandboxSpec> {
  const { config, sources, host } = input;
  const agent: AgentTable = typeof config.agent === 'object' ? config.agent : {};
  return {
    name: input.name,
    image: { base: baseOf(input) },
    packages: {
      apt: config.packages?.apt ?? [],
      npm: config.packages?.npm ?? [],
      pip: config.packages?.pip ?? [],
      setup: config.packages?.setup ?? [],
    },
    workspace: {
      path: await workspaceOf(input),
      mode: config.workspace?.mode ?? 'mount',
      hide: config.workspace?.hide ?? [],
      readonly: (config.workspace?.readonly ?? []).map(clean),
      unprotect: (config.workspace?.unprotect ?? []).map(clean),
    },
    mounts: await Promise.all(
      (config.mounts ?? []).map((mount, index) => mountOf(input, mount, sources[`mounts[${index}]`] ?? 'default')),
    ),
    network: {
      mode: config.network?.mode ?? 'enforce',
      allow: await rulesOf(input, 'allow'),
      deny: await rulesOf(input, 'deny'),
      http: (config.network?.http ?? []).map((rule, index) => ({
        host: rule.host,
        methods: rule.methods ?? [],
        paths: rule.paths ?? [],
        source: sources[`network.http[${index}]`] ?? 'default',
      })),
    },
    resources: {
      cpus: config.resources?.cpus ?? Math.min(2, host.cpus),
      memoryBytes: sizeOf(input, 'memory', config.resources?.memory ?? '2GiB', MEMORY_MIN, '256MiB'),
      diskBytes: sizeOf(input, 'disk', config.resources?.disk ?? '20GiB', DISK_MIN, '10GiB'),
    },
    env: config.env ?? {},
    lifecycle: {
      restart: config.lifecycle?.restart ?? 'on-failure',
      idleSeconds: parseDuration(config.lifecycle?.idle ?? '0') ?? 0,
      pool: config.lifecycle?.pool ?? 0,
    },
    agent: {
      name: input.agentName,
      command: agent.command ?? [],
      headless: agent.headless ?? [],
      mcpFile: agent.mcp_file,
      mcpFormat: agent.mcp_format,
    },
    sources,
  };
}

function baseOf({ config, sources, dir, host }: SandboxInput): string {
  const base = config.image?.base;
  if (base === undefined)
    return host.os.id === 'ubuntu' || host.os.id === 'debian' ? `${host.os.id}:${host.os.codename}` : 'debian:bookworm';
  if (/^(debian|ubuntu):[a-z]+$/.test(base) || base.startsWith('oci:')) return base;
  if (/^[a-z]+:/.test(base))
    throw problem(
      sources['image.base'],
      `image.base: "${base}" is no kind of image`,
      'write debian:<suite>, ubuntu:<suite>, oci:<reference> or the path of a tar',
    );
  return isAbsolute(base) ? base : resolve(dir, base);
}

async function workspaceOf({ config, sources, dir, host }: SandboxInput): Promise<string> {
  const wanted = config.workspace?.path ?? '.';
  const source = sources['workspace.path'];
  const path = await realpath(resolve(dir, expandHome(wanted, host.home))).catch(() => undefined);
  const isFolder = path !== undefined && (await stat(path)).isDirectory();
  if (!isFolder) throw problem(source, `workspace.path: ${wanted} is not a folder`, 'name a folder that exists');
  const home = await realpath(host.home).catch(() => host.home);
  const system = [
    '/',
    '/etc',
    '/usr',
    '/var',
    '/bin',
    '/lib',
    '/proc',
    '/sys',
    '/dev',
    '/run',
    '/boot',
    '/tmp',
    '/home',
    '/root',
    '/opt',
    home,
  ];
  if (system.includes(path))
    throw problem(
      source,
      `workspace.path: ${path} cannot be a workspace`,
      'choose the folder of one project: everything in it is visible to the agent',
    );
  return path;
}

async function mountOf(
  { dir, host }: SandboxInput,
  mount: { host: string; guest: string; readonly?: boolean | undefined },
  source: Source,
): Promise<MountSpec> {
  const wanted = resolve(dir, expandHome(mount.host, host.home));
  const path = await realpath(wanted).catch(() => undefined);
  if (path === undefined)
    throw problem(source, `mounts: ${mount.host} does not exist`, 'name a folder or file of the host that exists');
  const guest = mount.guest.replace(/\/+$/, '') || '/';
  const taken = ['/', '/proc', '/sys', '/dev', '/run', '/opt/sbx', '/etc', '/usr', '/bin', '/lib', '/sbin'];
  if (taken.includes(guest)) throw problem(source, `mounts: ${guest} cannot be covered`, 'choose a path such as /data');
  return { host: path, guest, readonly: mount.readonly ?? true, source };
}

async function rulesOf({ config, sources, host }: SandboxInput, kind: 'allow' | 'deny'): Promise<NetworkRule[]> {
  const rules = (config.network?.[kind] ?? []).map(async (text, index): Promise<NetworkRule[]> => {
    const source = sources[`network.${kind}[${index}]`] ?? 'default';
    const preset = presetOf(text);
    if (preset === undefined) return [{ text, pattern: text.toLowerCase(), trusted: false, source }];
    const { hosts } = await host.registries();
    return hosts[preset].map((one) => ({
      text,
      pattern: `${one.host}:${one.port}`,
      trusted: kind === 'allow',
      source,
    }));
  });
  return (await Promise.all(rules)).flat();
}

function sizeOf(
  { sources }: SandboxInput,
  field: 'memory' | 'disk',
  text: string,
  least: number,
  leastText: string,
): number {
  const bytes = parseSize(text) ?? 0;
  if (bytes < least)
    throw problem(
      sources[`resources.${field}`],
      `resources.${field}: ${text} is too small`,
      `at least ${leastText} is needed`,
    );
  const mib = 1024 ** 2;
  return Math.ceil(bytes / mib) * mib;
}

function problem(source: Source | undefined, message: string, hint: string): SbxError {
  return new SbxError('config-invalid', message, {
    hint,
    ...(source === undefined || source === 'default' ? {} : { place: source as Place }),
  });
}

function expandHome(path: string, home: string): string {
  return path === '~' ? home : path.startsWith('~/') ? join(home, path.slice(2)) : path;
}

function clean(path: string): string {
  return path.replace(/^\.\//, '').replace(/\/+$/, '');
}
