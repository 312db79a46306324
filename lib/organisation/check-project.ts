/** Holds a project to the organisation's policy. Pure. */
import { type Place, SbxError } from '../errors.ts';
import type { PolicyInput } from '../gateway/policy/types.ts';
import type { ProjectSpec, SandboxSpec, Source } from '../spec/spec.ts';
import { formatSize } from '../spec/units.ts';
import type { Limit, Organisation } from './policy-file.ts';
import type { Forbidden } from './schema.ts';
import { checkSource } from './sources/allows-source.ts';

/** @throws SbxError `refused-policy` with the place in the project's file, and that in the policy */
export function checkProject(project: ProjectSpec, policy: Organisation): void {
  const { sandboxes: most } = policy.limits;
  if (most !== undefined && project.sandboxes.length > most.most)
    throw refused(`${project.sandboxes.length} sandboxes are more than the ${most.text} that are allowed`, {
      policy: most.place,
      hint: 'lower `count`, or remove some of [sandboxes]',
    });
  for (const spec of project.sandboxes) checkSandbox(spec, policy);
}

function checkSandbox(spec: SandboxSpec, { limits, forbid, registries }: Organisation): void {
  const { base } = spec.image;
  if (base.startsWith('oci:')) checkSource({ registries }, base, spec.sources['image.base']);
  const { cpus, memoryBytes, diskBytes } = spec.resources;
  const sourceOf = (field: string) => spec.sources[`resources.${field}`] ?? 'default';
  checkLimit({ field: 'cpus', value: cpus, text: String(cpus), limit: limits.cpus, source: sourceOf('cpus') });
  checkLimit({
    field: 'memory',
    value: memoryBytes,
    text: formatSize(memoryBytes),
    limit: limits.memory,
    source: sourceOf('memory'),
  });
  checkLimit({
    field: 'disk',
    value: diskBytes,
    text: formatSize(diskBytes),
    limit: limits.disk,
    source: sourceOf('disk'),
  });
  for (const { name, place } of forbid) {
    const used = USES[name](spec);
    if (used === undefined) continue;
    throw refused(`${used.what} is not allowed on this machine`, {
      policy: place,
      source: used.source,
      hint: 'remove it from the file',
    });
  }
}

interface Measured {
  field: 'cpus' | 'memory' | 'disk';
  value: number;
  text: string;
  limit: Limit | undefined;
  source: Source;
}

function checkLimit({ field, value, text, limit, source }: Measured): void {
  if (limit === undefined || value <= limit.most) return;
  throw refused(`${field} = ${text} is more than the ${limit.text} that are allowed`, {
    policy: limit.place,
    source,
    hint: `write ${field} = ${field === 'cpus' ? limit.text : `"${limit.text}"`} or less under [resources]`,
  });
}

type Use = { what: string; source: Source } | undefined;

function first<T>(list: readonly T[] | undefined, show: (one: T) => { what: string; source: Source }): Use {
  const [one] = list ?? [];
  return one === undefined ? undefined : show(one);
}

/** What of a sandbox each name forbids */
const USES: Record<Forbidden, (spec: SandboxSpec) => Use> = {
  credentials: ({ credentials }) =>
    first(credentials, ({ env, source }) => ({ what: `the credential ${env}`, source })),
  docker: ({ docker, sources }) =>
    docker && { what: 'a Docker engine', source: sources['docker.enabled'] ?? sources['docker'] ?? 'default' },
  mcp: ({ mcp }) => first(mcp, ({ name, source }) => ({ what: `the MCP server ${name}`, source })),
  mounts: ({ mounts }) => first(mounts, ({ host, source }) => ({ what: `the mount of ${host}`, source })),
  'network-observe': ({ network, sources }) =>
    network.mode === 'observe'
      ? { what: 'network.mode = "observe"', source: sources['network.mode'] ?? 'default' }
      : undefined,
  ports: ({ ports }) => first(ports, ({ guest, source }) => ({ what: `the port ${guest}`, source })),
  'public-ports': ({ ports }) =>
    first(
      ports?.filter(({ address }) => address !== undefined),
      ({ guest, address, source }) => ({ what: `the port ${guest} on ${address}`, source }),
    ),
  services: ({ services }) => first(services, ({ name, source }) => ({ what: `the service ${name}`, source })),
  signing: ({ git, sources }) => git && { what: 'signing', source: sources['git.sign'] ?? 'default' },
  unprotect: ({ workspace, sources }) =>
    first(workspace.unprotect, (text) => ({
      what: `unprotect = "${text}"`,
      source: sources['workspace.unprotect'] ?? 'default',
    })),
};

/** @throws SbxError `refused-policy` when nothing may be approved */
export function refuseApproval({ neverApproves }: Organisation, what: string): void {
  if (neverApproves === undefined) return;
  throw refused(`${what} cannot be approved on this machine`, {
    policy: neverApproves,
    hint: 'ask who administers this machine',
  });
}

/** @throws SbxError `refused-policy`; `addresses`: what is listened on, undefined for the loopback */
export function refusePorts({ forbid }: Organisation, addresses: readonly (string | undefined)[]): void {
  if (addresses.length === 0) return;
  const isPublic = addresses.some((address) => address !== undefined);
  const rule = forbid.find(({ name }) => name === 'ports' || (name === 'public-ports' && isPublic));
  if (rule === undefined) return;
  throw refused(
    rule.name === 'ports'
      ? 'ports are not allowed on this machine'
      : 'a port beyond the loopback is not allowed on this machine',
    {
      policy: rule.place,
      hint: 'ask who administers this machine',
    },
  );
}

/** Its deny rules win over everything, as all of them do. */
export function withOrganisation(input: PolicyInput, { deny }: Organisation): PolicyInput {
  return deny.length === 0 ? input : { ...input, deny: [...input.deny, ...deny] };
}

/** In one line, for people; undefined: there is none */
export function summaryOf({ file, deny, forbid, limits, registries, neverApproves }: Organisation): string | undefined {
  if (file === undefined) return undefined;
  const parts = [
    ...(deny.length === 0
      ? []
      : [
          `denies ${deny
            .map(({ pattern }) => pattern)
            .slice(0, 5)
            .join(', ')}${deny.length > 5 ? ` and ${deny.length - 5} more` : ''}`,
        ]),
    ...(forbid.length === 0 ? [] : [`forbids ${forbid.map(({ name }) => name).join(', ')}`]),
    ...(registries === undefined
      ? []
      : [`templates and images from ${registries.entries.join(', ') || 'no registry'}`]),
    ...Object.entries(limits).map(([key, limit]) => `${key} at most ${limit?.text}`),
    ...(neverApproves === undefined ? [] : ['nothing can be approved']),
  ];
  return `${file}: ${parts.join('; ') || 'no rule'}`;
}

function refused(
  message: string,
  { policy, source, hint }: { policy: Place; source?: Source; hint: string },
): SbxError {
  return new SbxError('refused-policy', message, {
    ...(source === undefined || source === 'default' ? {} : { place: source }),
    why: `the policy of this machine says so: ${policy.file}:${policy.line}`,
    hint,
  });
}
