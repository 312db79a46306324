/** Decides which changes give a sandbox more access. Pure. */
import { createHash } from 'node:crypto';
import type { ProjectSpec, SandboxSpec } from '../spec/spec.ts';
import { comparable } from './compare.ts';

/** Lists whose new entries widen */
const GIVES = new Set(['network.allow', 'workspace.unprotect', 'credentials', 'services', 'ports', 'mcp']);
/** Lists whose removed entries widen */
const TAKES = new Set(['network.deny', 'workspace.hide', 'workspace.readonly', 'workspace.private']);

/** `from` and `to` as `comparable` gives them. */
export function widensField(path: string, from: unknown, to: unknown): boolean {
  if (GIVES.has(path)) return added(from, to).some((item) => !isTrusted(item));
  if (TAKES.has(path)) return added(to, from).length > 0;
  if (path === 'network.http') return widensHttp(from as Narrowing[], to as Narrowing[]);
  if (path === 'mounts') return added(from, to).length > 0;
  if (path === 'workspace.path') return true;
  if (path === 'git.signingKey') return to !== undefined;
  if (path === 'workspace.repository' || path === 'workspace.repositoryTop') return to !== undefined;
  if (path === 'network.mode') return to === 'observe';
  // A limit that was raised or removed
  if (path === 'network.bandwidth') return from !== undefined && Number(to ?? Number.POSITIVE_INFINITY) > Number(from);
  return false;
}

interface Narrowing {
  host: string;
}

/** The first rule of a host restricts it, each further rule widens; without a rule the whole host is open. */
function widensHttp(from: Narrowing[], to: Narrowing[]): boolean {
  const hosts = (rules: Narrowing[]) => new Set(rules.map(({ host }) => host));
  const [before, after] = [hosts(from), hosts(to)];
  if ([...before].some((host) => !after.has(host))) return true;
  return (added(from, to) as Narrowing[]).some(({ host }) => before.has(host));
}

/** Widenings of a new sandbox, compared with an empty spec; registries of the host's own configuration are none. */
export function widensAtBirth(spec: SandboxSpec): { path: string; to: unknown }[] {
  const found: { path: string; to: unknown }[] = [];
  const note = (path: string, value: unknown) => {
    const list = comparable(value) as unknown[];
    if (widensField(path, [], list)) found.push({ path, to: list });
  };
  note('network.allow', spec.network.allow);
  note('workspace.unprotect', spec.workspace.unprotect);
  note('mounts', spec.mounts);
  note('credentials', spec.credentials);
  note('services', spec.services ?? []);
  note('ports', spec.ports ?? []);
  note('mcp', spec.mcp ?? []);
  if (spec.git !== undefined) found.push({ path: 'git.signingKey', to: spec.git.signingKey });
  if (spec.network.mode === 'observe') found.push({ path: 'network.mode', to: 'observe' });
  if (!isInside(spec)) found.push({ path: 'workspace.path', to: spec.workspace.path });
  if (spec.workspace.repository !== undefined)
    found.push({ path: 'workspace.repository', to: spec.workspace.repository });
  if (spec.workspace.repositoryTop !== undefined)
    found.push({ path: 'workspace.repositoryTop', to: spec.workspace.repositoryTop });
  return found;
}

/** A workspace outside the project's folder was chosen by the file, not by the user. */
function isInside(spec: SandboxSpec): boolean {
  const source = spec.sources['workspace.path'];
  if (source === undefined || source === 'default') return true;
  const dir = source.file.slice(0, source.file.lastIndexOf('/'));
  return spec.workspace.path === dir || spec.workspace.path.startsWith(`${dir}/`);
}

/** Hash of everything in a project that could widen: the user approves this hash. */
export function wideningHash(project: ProjectSpec): string {
  const parts = project.sandboxes.map((spec) => [
    spec.name,
    comparable(spec.network.allow),
    comparable(spec.network.deny),
    spec.network.mode,
    comparable(spec.network.http),
    comparable(spec.mounts),
    spec.workspace.path,
    comparable(spec.workspace.hide),
    comparable(spec.workspace.readonly),
    comparable(spec.workspace.unprotect),
    // Omitted where it is not set, so that earlier approvals stay valid.
    ...(spec.network.bandwidth === undefined ? [] : [spec.network.bandwidth]),
    ...((spec.workspace.private ?? []).length === 0 ? [] : [{ private: comparable(spec.workspace.private) }]),
    ...(spec.workspace.repository === undefined ? [] : [{ repository: spec.workspace.repository }]),
    ...(spec.workspace.repositoryTop === undefined ? [] : [{ repositoryTop: spec.workspace.repositoryTop }]),
    ...(spec.credentials.length === 0 ? [] : [{ credentials: comparable(spec.credentials) }]),
    ...((spec.services ?? []).length === 0 ? [] : [{ services: comparable(spec.services) }]),
    ...((spec.ports ?? []).length === 0 ? [] : [{ ports: comparable(spec.ports) }]),
    ...((spec.mcp ?? []).length === 0 ? [] : [{ mcp: comparable(spec.mcp) }]),
    ...(spec.git === undefined ? [] : [{ signingKey: spec.git.signingKey }]),
  ]);
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Checks that a project gained only the given allow entries, and no other widening. `entries`: as written in the file. */
export function onlyAdded(before: ProjectSpec, after: ProjectSpec, entries: readonly string[]): boolean {
  const sandboxes = before.sandboxes.map((spec) => {
    const now = after.sandboxes.find(({ name }) => name === spec.name)?.network.allow ?? [];
    const known = new Set(spec.network.allow.map(({ pattern, trusted }) => `${pattern} ${trusted}`));
    const gained = now.filter(
      ({ text, pattern, trusted }) => entries.includes(text) && !known.has(`${pattern} ${trusted}`),
    );
    return { ...spec, network: { ...spec.network, allow: [...spec.network.allow, ...gained] } };
  });
  return wideningHash({ ...before, sandboxes }) === wideningHash(after);
}

function added(from: unknown, to: unknown): unknown[] {
  // A list that an earlier or a shorter spec lacks is empty.
  const known = new Set(((from ?? []) as unknown[]).map((item) => JSON.stringify(item)));
  return ((to ?? []) as unknown[]).filter((item) => !known.has(JSON.stringify(item)));
}

/** `host:port (preset:npm)`: from the host's own configuration */
function isTrusted(item: unknown): boolean {
  return typeof item === 'string' && / \(preset:\w+\)$/.test(item);
}
