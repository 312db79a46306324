/** Decides which hosts are asked for an image, by the host's own configuration of Podman and Docker. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from '@iarna/toml';
import { z } from 'zod';
import { SbxError } from '../errors.ts';
import type { ImageReference } from './reference.ts';

/** A host with the repository as it is called there */
export interface Endpoint {
  host: string;
  repository: string;
}

interface RegistryRule {
  /** `host`, or `host/path`: the longest one that fits counts */
  prefix: string;
  /** What takes the place of the prefix */
  location: string;
  blocked: boolean;
  /** Asked first, in this order, as `location` */
  mirrors: string[];
}

export interface RegistryConfig {
  /** The registry of a name without one */
  unqualified: string;
  rules: RegistryRule[];
}

/** What Docker and Podman take a name without a registry for, and the host of its API */
const HUB = { name: 'docker.io', host: 'registry-1.docker.io' };
const HUB_NAMES: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', HUB.host]);

const podmanFile = z.object({
  'unqualified-search-registries': z.array(z.string()).optional(),
  registry: z
    .array(
      z.object({
        prefix: z.string().optional(),
        location: z.string().optional(),
        blocked: z.boolean().optional(),
        mirror: z.array(z.object({ location: z.string() })).optional(),
      }),
    )
    .optional(),
});

const dockerFile = z.object({ 'registry-mirrors': z.array(z.string()).optional() });

/** Read for each image: the files are small, and a change counts at once. `insecure` is ignored. @throws SbxError `registry` for a file that cannot be parsed. */
export async function readRegistryConfig(env: Record<string, string | undefined>): Promise<RegistryConfig> {
  const own = join(env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config'), 'containers/registries.conf');
  const places = [env['CONTAINERS_REGISTRIES_CONF'], own, '/etc/containers/registries.conf'];
  const podman = await firstOf(places.filter((place): place is string => Boolean(place)));
  const docker = await firstOf([env['SBX_DOCKER_DAEMON_JSON'] ?? '/etc/docker/daemon.json']);
  return configOf(podman, docker);
}

interface ConfigText {
  path: string;
  text: string;
}

async function firstOf(paths: string[]): Promise<ConfigText | undefined> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) return { path, text };
  }
  return undefined;
}

export function configOf(podman: ConfigText | undefined, docker: ConfigText | undefined): RegistryConfig {
  const one = podman === undefined ? {} : checked(podman, (text) => podmanFile.parse(parse(text)));
  const two = docker === undefined ? {} : checked(docker, (text) => dockerFile.parse(JSON.parse(text)));
  const rules = (one.registry ?? []).flatMap(({ prefix, location, blocked = false, mirror = [] }) => {
    const from = prefix ?? location;
    return from === undefined
      ? []
      : [{ prefix: from, location: location ?? from, blocked, mirrors: mirror.map((each) => each.location) }];
  });
  // Docker's mirrors are of its public registry only.
  const mirrors = (two['registry-mirrors'] ?? []).map((url) => url.replace(/^https?:\/\//, '').replace(/\/+$/, ''));
  const known = rules.some(({ prefix }) => prefix === HUB.name);
  return {
    unqualified: one['unqualified-search-registries']?.[0] ?? HUB.name,
    rules: known ? rules : [...rules, { prefix: HUB.name, location: HUB.name, blocked: false, mirrors }],
  };
}

function checked<T>({ path, text }: ConfigText, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    throw new SbxError('registry', `${path} cannot be read`, {
      why: error instanceof z.ZodError ? z.prettifyError(error) : String(error),
      hint: 'correct the file; sbx takes its mirrors from there',
    });
  }
}

/** Mirrors first, then the registry itself. @throws SbxError `registry` if the host's configuration blocks it. */
export function endpointsOf({ registry, repository }: ImageReference, config: RegistryConfig): Endpoint[] {
  const host = registry ?? config.unqualified;
  const name = HUB_NAMES.has(host) ? HUB.name : host;
  // The public registry keeps official images below this name.
  const path = name === HUB.name && !repository.includes('/') ? `library/${repository}` : repository;
  const full = `${name}/${path}`;
  const fits = ({ prefix }: RegistryRule) => full === prefix || full.startsWith(`${prefix}/`);
  const rule = config.rules.filter(fits).toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
  if (rule?.blocked)
    throw new SbxError('registry', `${rule.prefix} is blocked`, { why: 'the registries.conf of this host says so' });
  const moved = (location: string) => `${location}${rule === undefined ? '' : full.slice(rule.prefix.length)}`;
  const places = rule === undefined ? [full] : [...rule.mirrors, rule.location].map(moved);
  return places.map(endpointOf);
}

function endpointOf(place: string): Endpoint {
  const at = place.indexOf('/');
  const host = place.slice(0, at);
  return { host: host === HUB.name ? HUB.host : host, repository: place.slice(at + 1) };
}
