/** Reads the registries of this host's own configuration of package managers, never of a project's files. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { Preset } from '../../spec/network-pattern.ts';
import { APT } from './apt.ts';
import { CARGO } from './cargo.ts';
import { GO } from './go.ts';
import { MAVEN } from './maven.ts';
import { NPM } from './npm.ts';
import { PIP } from './pip.ts';
import { RUBYGEMS } from './rubygems.ts';
import type { RegistrySource, ToolPlaces } from './source.ts';

const SOURCES: Record<Preset, RegistrySource> = {
  npm: NPM,
  apt: APT,
  pip: PIP,
  cargo: CARGO,
  go: GO,
  maven: MAVEN,
  rubygems: RUBYGEMS,
};

export interface HostRegistries {
  hosts: Record<Preset, { host: string; port: number }[]>;
  /** URL of the npm registry and of the Python index, without credentials */
  npm: string | undefined;
  pip: string | undefined;
}

/** Running npm and APT takes half a second, so `cacheFile` keeps the result while their files are unchanged. */
export async function readRegistries(cacheFile: string, env: NodeJS.ProcessEnv = process.env): Promise<HostRegistries> {
  const key = await cacheKey(env);
  const cached = await readCache(cacheFile);
  if (cached?.key === key) return cached.value;
  const value = await read(env);
  await mkdir(dirname(cacheFile), { recursive: true, mode: 0o700 });
  await writeFileAtomic(cacheFile, JSON.stringify({ key, value }), { mode: 0o600 });
  return value;
}

/** A hash: URLs in variables may contain passwords. */
async function cacheKey(env: NodeJS.ProcessEnv): Promise<string> {
  const places = placesOf(env);
  const watched = [...Object.values(SOURCES).flatMap((source) => source.files(places)), '/usr/bin/npm'];
  const stamps = await Promise.all(
    watched.map((file) =>
      stat(file).then(
        ({ mtimeMs, size }) => [file, mtimeMs, size],
        () => [file],
      ),
    ),
  );
  const variables = Object.entries(env)
    .filter(([name]) => name === 'PATH' || Object.values(SOURCES).some(({ variables }) => variables.test(name)))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([stamps, variables]))
    .digest('hex');
}

/** Undefined: missing or damaged, so it is written again. */
async function readCache(file: string): Promise<{ key: string; value: HostRegistries } | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { key: string; value: HostRegistries };
  } catch {
    return undefined;
  }
}

async function read(env: NodeJS.ProcessEnv): Promise<HostRegistries> {
  const places = placesOf(env);
  const named = Object.entries(SOURCES).map(async ([name, source]) => {
    const urls = await source.urls(places);
    return [name, urls.flatMap(withoutCredentials)] as const;
  });
  const urls = Object.fromEntries(await Promise.all(named)) as Record<Preset, string[]>;
  const hosts = Object.entries(urls).map(([name, list]) => [name, hostsOf(list)]);
  return { hosts: Object.fromEntries(hosts), npm: urls.npm[0], pip: urls.pip[0] };
}

function placesOf(env: NodeJS.ProcessEnv): ToolPlaces {
  return { env, home: env['HOME'] ?? homedir() };
}

function withoutCredentials(text: string): string[] {
  const trimmed = text.trim();
  const url = URL.canParse(trimmed) ? new URL(trimmed) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) return [];
  url.username = '';
  url.password = '';
  return [url.href];
}

function hostsOf(urls: string[]): { host: string; port: number }[] {
  const all = urls
    .map((text) => new URL(text))
    .map((url) => ({ host: url.hostname, port: Number(url.port) || (url.protocol === 'http:' ? 80 : 443) }));
  return [...new Map(all.map((one) => [`${one.host}:${one.port}`, one])).values()];
}
