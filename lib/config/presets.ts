/** The hosts that this host's own npm, APT and pip configuration name, read at run time. The project's own files are never asked. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import writeFileAtomic from 'write-file-atomic';
import type { Preset } from './network-pattern.ts';

export interface HostRegistries {
  hosts: Record<Preset, { host: string; port: number }[]>;
  /** Address of the npm registry and of the Python index, without credentials */
  npm: string | undefined;
  pip: string | undefined;
}

const call = promisify(execFile);

/** Files whose change makes the cache stale */
const WATCHED = [
  '/etc/npmrc',
  '/usr/etc/npmrc',
  join(homedir(), '.npmrc'),
  '/etc/apt/sources.list',
  '/etc/apt/sources.list.d',
  '/etc/apt/apt.conf.d',
  join(homedir(), '.config/pip/pip.conf'),
  join(homedir(), '.pip/pip.conf'),
  '/etc/pip.conf',
];

/** Asking npm and APT takes half a second, so the answer is kept in `cacheFile` for as long as their files are unchanged. */
export async function readRegistries(cacheFile: string): Promise<HostRegistries> {
  const stamps = await Promise.all(
    WATCHED.map((file) =>
      stat(file).then(
        (found) => found.mtimeMs,
        () => 0,
      ),
    ),
  );
  const env = Object.entries(process.env).filter(([key]) =>
    /^(npm_config_(registry|userconfig|globalconfig)|pip_|sbx_apt_mirror)/i.test(key),
  );
  const key = JSON.stringify([stamps, env]);
  const cached = await readFile(cacheFile, 'utf8').then(
    (text) => JSON.parse(text) as { key: string; value: HostRegistries },
    () => undefined,
  );
  if (cached?.key === key) return cached.value;
  const value = await read();
  await mkdir(dirname(cacheFile), { recursive: true, mode: 0o700 });
  await writeFileAtomic(cacheFile, JSON.stringify({ key, value }), { mode: 0o600 });
  return value;
}

async function read(): Promise<HostRegistries> {
  const [npm, apt, pip] = await Promise.all([npmUrls(), aptUrls(), pipUrls()]);
  return { hosts: { npm: hostsOf(npm), apt: hostsOf(apt), pip: hostsOf(pip) }, npm: npm[0], pip: pip[0] };
}

/** The default registry first, then those of scopes: from the user's and the machine's npmrc; npm itself is asked only when they name none. */
async function npmUrls(): Promise<string[]> {
  const files = [
    process.env['NPM_CONFIG_USERCONFIG'] ?? join(homedir(), '.npmrc'),
    process.env['NPM_CONFIG_GLOBALCONFIG'] ?? '/etc/npmrc',
    '/usr/etc/npmrc',
  ];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const named = (key: RegExp) =>
    texts
      .flatMap((text) => text.split('\n'))
      .flatMap((line) => (key.exec(line.trim())?.[1] ?? '').split(/\s/)[0] || []);
  const fromEnv = process.env['npm_config_registry'] ?? process.env['NPM_CONFIG_REGISTRY'];
  const main = fromEnv ?? named(/^registry\s*=\s*(.+)$/)[0] ?? (await askNpm());
  return [...(main === undefined ? [] : [main]), ...named(/^@[^:]+:registry\s*=\s*(.+)$/)].flatMap(withoutCredentials);
}

async function askNpm(): Promise<string | undefined> {
  // From the root folder: no project's npmrc has a say.
  const answer = await call('npm', ['config', 'get', 'registry'], { cwd: '/' }).catch(() => undefined);
  return answer?.stdout.trim() || undefined;
}

async function aptUrls(): Promise<string[]> {
  const answer = await call(
    'apt-get',
    ['indextargets', '--no-release-info', '--format', '$(REPO_URI)', 'Created-By: Packages'],
    { cwd: '/' },
  ).catch(() => undefined);
  const override = process.env['SBX_APT_MIRROR'];
  return [...new Set([...(override === undefined ? [] : [override]), ...(answer?.stdout.split('\n') ?? [])])].flatMap(
    withoutCredentials,
  );
}

async function pipUrls(): Promise<string[]> {
  const files = [
    process.env['PIP_CONFIG_FILE'] ?? '',
    join(homedir(), '.config/pip/pip.conf'),
    join(homedir(), '.pip/pip.conf'),
    '/etc/pip.conf',
  ].filter(Boolean);
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const named = texts
    .flatMap((text) => text.split('\n'))
    .flatMap((line) => /^\s*(?:extra-)?index-url\s*=\s*(\S+)/.exec(line)?.[1] ?? []);
  const fromEnv = process.env['PIP_INDEX_URL'];
  return [...(fromEnv === undefined ? [] : [fromEnv]), ...named].flatMap(withoutCredentials);
}

function withoutCredentials(text: string): string[] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
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
