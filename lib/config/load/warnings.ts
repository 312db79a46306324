/** Warns of what is valid in a file and will not work as its author means it, each with its line. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Place } from '../../errors.ts';
import type { SandboxSpec, Source, Warning } from '../../spec/spec.ts';
import type { HostFacts } from '../resolve/host-facts.ts';
import type { Table } from './provenance.ts';

type Host = Pick<HostFacts, 'cpus' | 'memoryBytes'>;

export async function warningsOf(spec: Omit<SandboxSpec, 'name'>, host: Host): Promise<Warning[]> {
  return [...absent(spec), ...tooLarge(spec, host), ...notExpanded(spec), ...(await tooWide(spec))];
}

/** Of a template: fields that count in the project's own file only. */
export function ignoredInTemplate({ entries }: Table): Warning[] {
  return ['name', 'sandboxes'].flatMap((key) => {
    const node = entries.get(key);
    const what = key === 'name' ? '`name`' : '[sandboxes]';
    return node === undefined
      ? []
      : [warning(`${what} of a template is ignored: write it in sandbox.toml`, node.place)];
  });
}

/** Sandboxes of one project that want the same port of the host: the first to start gets it. */
export function samePorts(sandboxes: readonly SandboxSpec[]): Warning[] {
  const owners = new Map<string, string>();
  const found: Warning[] = [];
  for (const { name, ports = [] } of sandboxes)
    for (const { host, address, auto, source } of ports) {
      if (host === 0 || auto === true) continue;
      const key = `${address ?? ''} ${host}`;
      const other = owners.get(key);
      if (other === undefined) owners.set(key, name);
      else
        found.push(
          warning(`ports: ${other} and ${name} both want port ${host} of this host: write auto = true`, source),
        );
    }
  return found;
}

function absent({ workspace, sources }: Omit<SandboxSpec, 'name'>): Warning[] {
  return (['readonly', 'unprotect'] as const).flatMap((list) =>
    workspace[list].flatMap((path, index) =>
      /[*?[\]{}]/.test(path) || existsSync(join(workspace.path, path))
        ? []
        : [
            warning(
              `workspace.${list}: ${path} does not exist in the workspace`,
              sources[`workspace.${list}[${index}]`],
            ),
          ],
    ),
  );
}

function tooLarge({ resources, sources }: Omit<SandboxSpec, 'name'>, host: Host): Warning[] {
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const { cpus, memoryBytes } = resources;
  return [
    ...(cpus > host.cpus
      ? [warning(`resources.cpus: ${cpus} are more than the ${host.cpus} of this host`, sources['resources.cpus'])]
      : []),
    ...(memoryBytes > host.memoryBytes
      ? [
          warning(
            `resources.memory: ${gib(memoryBytes)} are more than the ${gib(host.memoryBytes)} of this host`,
            sources['resources.memory'],
          ),
        ]
      : []),
  ];
}

function notExpanded({ env, sources }: Omit<SandboxSpec, 'name'>): Warning[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const found = /\$\{\w+\}|\$[A-Za-z_]\w*/.exec(value)?.[0];
    return found === undefined
      ? []
      : [warning(`env.${name}: ${found} is not expanded, and reaches the sandbox as it is`, sources[`env.${name}`])];
  });
}

/** `*.com` is nearly everything. */
async function tooWide({ network }: Omit<SandboxSpec, 'name'>): Promise<Warning[]> {
  const wide = network.allow.flatMap(({ pattern, source }) => {
    const suffix = /^\*{1,2}\.([a-z0-9-]+(?:\.[a-z0-9-]+)?)(?::[\d-]+)?$/.exec(pattern)?.[1];
    return suffix === undefined ? [] : [{ pattern, suffix, source }];
  });
  if (wide.length === 0) return [];
  // Its list is large, and most files need none of it.
  const { getPublicSuffix } = await import('tldts');
  return wide.flatMap(({ pattern, suffix, source }) =>
    getPublicSuffix(suffix) === suffix
      ? [warning(`network.allow: ${pattern} allows every site under .${suffix}: name the domain that is meant`, source)]
      : [],
  );
}

function warning(message: string, source: Source | undefined): Warning {
  return source === undefined || source === 'default'
    ? { message, source: 'default' }
    : { message: `${message}${at(source)}`, source };
}

function at({ file, line }: Place): string {
  return ` (${file}:${line})`;
}
