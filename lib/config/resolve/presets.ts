/** Reads the registry hosts of this host's own npm, APT and pip configuration, never of a project's files. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { Preset } from '../../spec/network-pattern.ts';
import { npmEnvironment, npmRegistries, parseNpmrc, parsePipConf } from './registry-files.ts';

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
  const home = env['HOME'] ?? homedir();
  const watched = [
    ...npmFiles(env, home),
    ...pipFiles(env, home),
    '/etc/apt/sources.list',
    '/etc/apt/sources.list.d',
    '/etc/apt/apt.conf.d',
    '/usr/bin/npm',
  ];
  const stamps = await Promise.all(
    watched.map((file) =>
      stat(file).then(
        ({ mtimeMs, size }) => [file, mtimeMs, size],
        () => [file],
      ),
    ),
  );
  const variables = Object.entries(env)
    .filter(([name]) => /^(npm_config_|pip_|sbx_apt_mirror$|path$)/i.test(name))
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
  const home = env['HOME'] ?? homedir();
  const [npm, apt, pip] = await Promise.all([npmUrls(env, home), aptUrls(env), pipUrls(env, home)]);
  return { hosts: { npm: hostsOf(npm), apt: hostsOf(apt), pip: hostsOf(pip) }, npm: npm[0], pip: pip[0] };
}

function npmFiles(env: NodeJS.ProcessEnv, home: string): string[] {
  const settings = npmEnvironment(env);
  const global = settings.get('globalconfig');
  return [
    settings.get('userconfig') ?? join(home, '.npmrc'),
    ...(global === undefined ? ['/etc/npmrc', '/usr/etc/npmrc', '/usr/local/etc/npmrc'] : [global]),
  ];
}

/** Runs npm only if no file and no variable names a registry. */
async function npmUrls(env: NodeJS.ProcessEnv, home: string): Promise<string[]> {
  const texts = await Promise.all(npmFiles(env, home).map((file) => readFile(file, 'utf8').catch(() => '')));
  const { main, scoped } = npmRegistries([npmEnvironment(env), ...texts.map((text) => parseNpmrc(text, env))]);
  const first = main ?? (await ask('npm', ['config', 'get', 'registry'], env))[0];
  return [...(first === undefined ? [] : [first]), ...scoped].flatMap(withoutCredentials);
}

async function aptUrls(env: NodeJS.ProcessEnv): Promise<string[]> {
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages'];
  const listed = await ask('apt-get', ['indextargets', '--no-release-info', ...format], env);
  const override = env['SBX_APT_MIRROR'];
  return [...new Set([...(override ? [override] : []), ...listed])].flatMap(withoutCredentials);
}

function pipFiles(env: NodeJS.ProcessEnv, home: string): string[] {
  const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
  const own = env['PIP_CONFIG_FILE'];
  return [...(own ? [own] : []), join(config, 'pip/pip.conf'), join(home, '.pip/pip.conf'), '/etc/pip.conf'];
}

async function pipUrls(env: NodeJS.ProcessEnv, home: string): Promise<string[]> {
  const texts = await Promise.all(pipFiles(env, home).map((file) => readFile(file, 'utf8').catch(() => '')));
  const named = [env['PIP_INDEX_URL'], ...(env['PIP_EXTRA_INDEX_URL'] ?? '').split(/\s+/)].filter(Boolean);
  return [...(named as string[]), ...texts.flatMap(parsePipConf)].flatMap(withoutCredentials);
}

/** Lines that a tool prints. It runs in the root folder, outside any project. Empty if the tool is missing or fails. */
async function ask(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string[]> {
  // Loaded here: with a kept answer no tool is run, and loading takes a command's time.
  const { run } = await import('../../system/run-tool.ts');
  const stdout = await run(command, args, { cwd: '/', env }).catch(() => '');
  return stdout.split('\n').filter((line) => line.trim() !== '');
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
