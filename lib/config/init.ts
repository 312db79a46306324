/** What a project is written in, and a first sandbox.toml for it. */
import { readdir } from 'node:fs/promises';

export interface DetectedProject {
  languages: string[];
  packageManagers: string[];
  apt: string[];
  presets: ('npm' | 'apt' | 'pip')[];
  hasEnvFile: boolean;
}

interface Sign {
  file: RegExp;
  language?: string;
  manager?: string;
  apt?: string[];
  preset?: 'npm' | 'pip';
}

const SIGNS: Sign[] = [
  { file: /^package\.json$/, language: 'JavaScript', preset: 'npm' },
  { file: /^package-lock\.json$/, manager: 'npm' },
  { file: /^pnpm-lock\.yaml$/, manager: 'pnpm' },
  { file: /^yarn\.lock$/, manager: 'yarn' },
  { file: /^tsconfig\.json$/, language: 'TypeScript' },
  {
    file: /^(pyproject\.toml|requirements.*\.txt|setup\.py)$/,
    language: 'Python',
    manager: 'pip',
    apt: ['python3', 'python3-pip', 'python3-venv'],
    preset: 'pip',
  },
  { file: /^uv\.lock$/, manager: 'uv' },
  { file: /^go\.mod$/, language: 'Go', apt: ['golang-go'] },
  { file: /^Cargo\.toml$/, language: 'Rust', manager: 'cargo', apt: ['cargo'] },
  { file: /^(pom\.xml|build\.gradle(\.kts)?)$/, language: 'Java', apt: ['default-jdk-headless'] },
  { file: /^Gemfile$/, language: 'Ruby', manager: 'bundler', apt: ['ruby', 'bundler'] },
  { file: /^(CMakeLists\.txt|Makefile)$/, language: 'C or C++', apt: ['build-essential'] },
];

export async function detectProject(dir: string): Promise<DetectedProject> {
  const names = await readdir(dir);
  const signs = SIGNS.filter(({ file }) => names.some((name) => file.test(name)));
  const unique = <T>(items: (T | undefined)[]) => [...new Set(items.filter((item): item is T => item !== undefined))];
  return {
    languages: unique(signs.map(({ language }) => language)),
    packageManagers: unique(signs.map(({ manager }) => manager)),
    apt: unique(signs.flatMap(({ apt }) => apt ?? [])),
    presets: unique<'npm' | 'apt' | 'pip'>(['apt', ...signs.map(({ preset }) => preset)]),
    hasEnvFile: names.some((name) => name === '.env' || name.startsWith('.env.')),
  };
}

/** A commented file; everything in it loads. */
export function renderInit(project: DetectedProject, agent: string): string {
  const list = (items: string[]) => `[${items.map((item) => JSON.stringify(item)).join(', ')}]`;
  return `version = 1

# Which agent works here: a built-in template, or your own file through extends.
agent = ${JSON.stringify(agent)}

# Installed once, into a base that every new sandbox is cloned from.
[packages]
apt = ${list(project.apt)}
# setup = ["corepack enable"]        # shell lines, as root, while the base is baked

# The only folder of the host inside, at the same path.
[workspace]
hide = ${list(project.hasEnvFile ? ['.env', '.env.*'] : [])}    # not visible inside

# Everything else is denied. The presets are the registries that this host itself uses.
[network]
allow = ${list(project.presets.map((preset) => `preset:${preset}`))}

# [resources]
# cpus = 2
# memory = "2GiB"
`;
}
