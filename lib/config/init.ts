/** Writes the first sandbox.toml of a project, from what its files show. */
import { readdir } from 'node:fs/promises';
import type { FromDevcontainer } from './devcontainer/from-devcontainer.ts';
import { type FoundFile, foundFiles } from './found-files.ts';
import { nameFromFolder } from './load/load-project.ts';

export interface DetectedProject {
  name: string;
  /** For display: `JavaScript (pnpm)` */
  languages: string[];
  apt: string[];
  npm: string[];
  setup: string[];
  /** Entries of the allow list */
  allow: string[];
  /** Files of the root that look like secrets */
  secrets: string[];
  /** Files that were recognized, used or not */
  found: FoundFile[];
  /** With `--from-devcontainer` */
  devcontainer?: FromDevcontainer;
}

interface Sign {
  /** Files of the root folder; the first matching sign of each group is used */
  files: RegExp;
  group: string;
  language: string;
  apt?: string[];
  npm?: string[];
  allow?: string[];
}

const SIGNS: Sign[] = [
  { group: 'js', files: /^bun\.lockb?$/, language: 'JavaScript (Bun)', npm: ['bun'], allow: ['preset:npm'] },
  { group: 'js', files: /^deno\.(jsonc?|lock)$/, language: 'JavaScript (Deno)', npm: ['deno'], allow: ['preset:npm'] },
  {
    group: 'js',
    files: /^pnpm-(lock|workspace)\.yaml$/,
    language: 'JavaScript (pnpm)',
    npm: ['pnpm'],
    allow: ['preset:npm'],
  },
  { group: 'js', files: /^yarn\.lock$/, language: 'JavaScript (Yarn)', npm: ['yarn'], allow: ['preset:npm'] },
  { group: 'js', files: /^package(-lock)?\.json$/, language: 'JavaScript (npm)', allow: ['preset:npm'] },
  {
    group: 'py',
    files: /^poetry\.lock$/,
    language: 'Python (Poetry)',
    apt: ['python3', 'python3-pip', 'python3-venv', 'python3-poetry'],
    allow: ['preset:pip'],
  },
  {
    group: 'py',
    files: /^Pipfile(\.lock)?$/,
    language: 'Python (Pipenv)',
    apt: ['python3', 'python3-pip', 'python3-venv', 'pipenv'],
    allow: ['preset:pip'],
  },
  {
    group: 'py',
    files: /^(pyproject\.toml|requirements.*\.txt|setup\.(py|cfg))$/,
    language: 'Python',
    apt: ['python3', 'python3-pip', 'python3-venv'],
    allow: ['preset:pip'],
  },
  { group: 'go', files: /^go\.(mod|work)$/, language: 'Go', apt: ['golang'], allow: ['preset:go'] },
  { group: 'rust', files: /^Cargo\.toml$/, language: 'Rust', apt: ['cargo', 'rustc'], allow: ['preset:cargo'] },
  {
    group: 'jvm',
    files: /^pom\.xml$/,
    language: 'Java (Maven)',
    apt: ['default-jdk-headless', 'maven'],
    allow: ['preset:maven'],
  },
  {
    group: 'jvm',
    files: /^build\.gradle(\.kts)?$/,
    language: 'Java (Gradle)',
    apt: ['default-jdk-headless'],
    allow: ['preset:maven'],
  },
  {
    group: 'ruby',
    files: /^Gemfile$/,
    language: 'Ruby',
    apt: ['ruby', 'ruby-dev', 'bundler'],
    allow: ['preset:rubygems'],
  },
  { group: 'php', files: /^composer\.json$/, language: 'PHP (Composer)', apt: ['php-cli', 'composer'] },
  { group: 'elixir', files: /^mix\.exs$/, language: 'Elixir', apt: ['elixir'] },
  { group: 'haskell', files: /^(cabal\.project|.+\.cabal)$/, language: 'Haskell', apt: ['ghc', 'cabal-install'] },
  { group: 'ocaml', files: /^(dune-project|.+\.opam)$/, language: 'OCaml', apt: ['ocaml', 'ocaml-dune', 'opam'] },
  { group: 'c', files: /^meson\.build$/, language: 'C and C++ (Meson)', apt: ['build-essential', 'meson'] },
  { group: 'c', files: /^CMakeLists\.txt$/, language: 'C and C++ (CMake)', apt: ['build-essential', 'cmake'] },
  { group: 'c', files: /^(Makefile|configure)$/, language: 'Make', apt: ['build-essential'] },
];

const SECRETS = /^(\.env(\..+)?|.+\.pem|.+\.key|id_(rsa|ed25519))$/;
const NO_SECRET = /\.(example|sample|template|dist)$/;

/** Reads only the names in the root folder; opens no file. */
export async function detectProject(dir: string): Promise<DetectedProject> {
  const names = (await readdir(dir)).toSorted();
  const matching = SIGNS.filter(({ files }) => names.some((name) => files.test(name)));
  const signs = matching.filter((sign, index) => matching.findIndex(({ group }) => group === sign.group) === index);
  const all = (pick: (sign: Sign) => string[] | undefined) => [...new Set(signs.flatMap((sign) => pick(sign) ?? []))];
  return {
    name: nameFromFolder(dir),
    languages: signs.map(({ language }) => language),
    apt: ['git', 'ripgrep', ...all(({ apt }) => apt)],
    npm: all(({ npm }) => npm),
    setup: [],
    allow: all(({ allow }) => allow),
    secrets: names.filter((name) => SECRETS.test(name) && !NO_SECRET.test(name)),
    found: foundFiles(names, signs),
  };
}

/** Adds what a devcontainer.json says to what the other files show. */
export function withDevcontainer(detected: DetectedProject, devcontainer: FromDevcontainer): DetectedProject {
  const { file, fields } = devcontainer;
  const others = detected.found.filter((one) => one.file !== '.devcontainer' && one.file !== '.devcontainer.json');
  return {
    ...detected,
    apt: [...new Set([...detected.apt, ...devcontainer.apt])],
    npm: [...new Set([...detected.npm, ...devcontainer.npm])],
    setup: devcontainer.setup,
    found: [...others, ...fields.map(({ field, what, used }) => ({ file: `${file}: ${field}`, what, used }))],
    devcontainer,
  };
}

/** A commented sandbox.toml that loads. */
export function renderInit(
  detected: DetectedProject,
  { agent, known }: { agent: string; known: string[] } = { agent: 'shell', known: [] },
): string {
  const found = detected.languages.length === 0 ? 'no known language' : detected.languages.join(', ');
  const others = known.filter((name) => name !== agent).join(', ');
  const hide = [...new Set(['.env', '.env.local', ...detected.secrets])];
  return `# The sandbox of this project. \`sbx plan\` shows what would change, \`sbx apply\` applies it.
# Detected: ${found}. All fields: docs/reference.md and sandbox.toml.example of sbx.
version = 1
name = ${quote(detected.name)}

# The coding agent, by the name of its template. "shell" is a plain VM without an agent.${others === '' ? '' : `\n# Others: ${others}. \`sbx template show NAME\` shows what each needs.`}
agent = ${JSON.stringify(agent)}
${renderImage(detected.devcontainer)}
[packages]
# Installed once, into the base image that all sandboxes share.
apt = ${quoteList(detected.apt)}
npm = ${quoteList(detected.npm)}
# Shell lines, run as root when the base image is built.
setup = ${quoteList(detected.setup)}

[workspace]
# This folder is the only host folder in the sandbox. Files that match these patterns are hidden in it.
hide = ${quoteList(hide)}

[network]
# Everything else is denied. "preset:npm" (or apt, pip, cargo, go, maven, rubygems) are the hosts
# in your own configuration of the tool, or else its public default.
allow = ${quoteList(detected.allow)}
# allow = ["api.github.com", "*.example.com", "10.1.2.0/24:5432"]

[resources]
cpus = 2
memory = "2GiB"
disk = "20GiB"
${renderServices(detected.devcontainer)}
${renderEnv(detected.devcontainer)}`;
}

function renderImage(devcontainer: FromDevcontainer | undefined): string {
  return devcontainer?.base === undefined ? '' : `\n[image]\nbase = ${quote(devcontainer.base)}\n`;
}

function renderServices({ docker, ports }: Partial<FromDevcontainer> = {}): string {
  const engine = docker === true ? '\n[docker]\nenabled = true\n' : '';
  return [engine, ...(ports ?? []).map((port) => `\n[[ports]]\nguest = ${port}\nauto = true\n`)].join('');
}

function renderEnv({ env = {}, later = [] }: Partial<FromDevcontainer> = {}): string {
  const lines = Object.entries(env).map(([name, value]) => `${name} = ${quote(value)}\n`);
  const variables = lines.length === 0 ? '# [env]\n# NODE_ENV = "development"\n' : `[env]\n${lines.join('')}`;
  const commands = later.map((line) => `#   ${quote(line)}\n`);
  return commands.length === 0
    ? variables
    : `${variables}\n# The image is built without the workspace: run these in it once, with \`sbx exec -- sh -c …\`.\n${commands.join('')}`;
}

function quoteList(values: string[]): string {
  return `[${values.map(quote).join(', ')}]`;
}

/** A JSON string is a TOML string, except for U+007F. */
function quote(value: string): string {
  return JSON.stringify(value).replaceAll('\u007f', '\\u007F');
}
