/** What a feature of a devcontainer.json becomes: packages of the distribution, or the one script of a feature in the project. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from '../schema/fields.ts';
import { quoted } from './commands.ts';
import { objectOf, parseJson } from './read-devcontainer.ts';
import { readInside } from './read-inside.ts';

export interface Feature {
  apt?: string[];
  docker?: boolean;
  /** A line of `[packages] setup` */
  setup?: string;
  /** What it becomes, or why nothing */
  what: string;
}

const FROM_DISTRIBUTION: Record<string, string[]> = {
  git: ['git'],
  'git-lfs': ['git-lfs'],
  'github-cli': ['gh'],
  go: ['golang'],
  java: ['default-jdk-headless'],
  python: ['python3', 'python3-pip', 'python3-venv'],
  ruby: ['ruby', 'ruby-dev', 'bundler'],
  rust: ['cargo', 'rustc'],
};
const WELL_KNOWN = /^ghcr\.io\/devcontainers\/features\/([a-z-]+)(?::[\w.]+)?$/;
const LOCAL = /^\.\/(?!\.)[\w.-]+$/;
/** Beside `install.sh`, a plain script has only these */
const DESCRIPTIONS = ['devcontainer-feature.json', 'install.sh', 'NOTES.md', 'README.md'];
const SHEBANG = /^#!\s*(?:\/usr\/bin\/env |\/(?:usr\/)?bin\/)(sh|bash)(?: (-[eux]+))?\s*\n/;
const SETUP_NOTE = 'its script is a line of setup, run as root when the image is built';

/** `file`: the devcontainer.json, relative to `dir`. */
export async function featureOf(dir: string, file: string, [id, options]: [string, unknown]): Promise<Feature> {
  if (LOCAL.test(id)) return await localFeature(dir, join(dirname(file), id), options);
  const known = WELL_KNOWN.exec(id)?.[1] ?? '';
  if (/^docker-(in|outside-of)-docker$/.test(known))
    return { docker: true, what: "[docker] enabled = true: an engine of the sandbox's own" };
  const apt = Object.hasOwn(FROM_DISTRIBUTION, known) ? FROM_DISTRIBUTION[known] : undefined;
  if (apt !== undefined) return { apt, what: `packages ${apt.join(', ')}, in the version of the distribution` };
  return { what: 'it is no plain script of this project: write what it installs into [packages]' };
}

async function localFeature(dir: string, folder: string, options: unknown): Promise<Feature> {
  const script = await readInside(dir, join(folder, 'install.sh'));
  if (script === undefined) return { what: 'it has no install.sh' };
  const others = (await readdir(join(dir, folder))).filter((name) => !DESCRIPTIONS.includes(name));
  if (others.length > 0) return { what: `it is more than a script: ${others.slice(0, 3).join(', ')}` };
  const [line, shell, flag] = SHEBANG.exec(script) ?? [];
  if (line === undefined || shell === undefined) return { what: 'its install.sh is no script of sh or bash' };
  const variables = await variablesOf(dir, folder, options);
  if (variables === undefined) return { what: 'its options are not text, numbers or booleans' };
  const argv = ['env', ...variables, shell, ...(flag === undefined ? [] : [flag]), '-c', script.slice(line.length)];
  const setup = argv.map(quoted).join(' ');
  return text.safeParse(setup).success
    ? { setup, what: SETUP_NOTE }
    : { what: 'its install.sh is too long for a line of setup: write what it installs into [packages]' };
}

/** The options as a feature gets them: variables in capital letters, with the defaults that it declares. */
async function variablesOf(dir: string, folder: string, given: unknown): Promise<string[] | undefined> {
  const path = join(folder, 'devcontainer-feature.json');
  const description = objectOf(parseJson((await readInside(dir, path)) ?? '{}', join(dir, path)));
  const declared = objectOf(description?.get('options')) ?? new Map<string, unknown>();
  const defaults = [...declared].map(([key, option]) => [key, objectOf(option)?.get('default') ?? ''] as const);
  const options = new Map([
    ...defaults,
    ...(typeof given === 'string' ? [['version', given] as const] : entries(given)),
  ]);
  if ([...options.values()].some((value) => !['string', 'number', 'boolean'].includes(typeof value))) return undefined;
  return [
    '_REMOTE_USER=agent',
    '_REMOTE_USER_HOME=/home/agent',
    '_CONTAINER_USER=agent',
    '_CONTAINER_USER_HOME=/home/agent',
    ...[...options].map(([key, value]) => `${variable(key)}=${String(value)}`),
  ];
}

function entries(value: unknown): [string, unknown][] {
  return [...(objectOf(value) ?? [])];
}

function variable(key: string): string {
  return key
    .replaceAll(/\W/g, '_')
    .replace(/^[\d_]+/, '_')
    .toUpperCase();
}
