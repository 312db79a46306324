/** A project's sandbox.toml and its templates → a `ProjectSpec`. Reads files only; runs nothing. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { errnoOf, type Place, SbxError } from '../errors.ts';
import { type Annotated, merge, plain, sourcesOf, type Table, without } from './annotated.ts';
import { findFile } from './find.ts';
import { nearest } from './nearest.ts';
import { parseFile } from './parse.ts';
import type { HostRegistries } from './presets.ts';
import { buildSandbox } from './sandbox.ts';
import { NAME, type SandboxConfig } from './schema.ts';
import type { ProjectSpec } from './spec.ts';
import { builtinTemplates, templatesDir } from './templates.ts';
import { listUnsupported } from './unsupported.ts';

/** What the host is: passed in, so that loading is the same everywhere in tests. */
export interface HostFacts {
  cpus: number;
  home: string;
  /** From os-release */
  os: { id: string; codename: string };
  registries: () => Promise<HostRegistries>;
}

export interface LoadOptions {
  cwd: string;
  /** Instead of searching upwards */
  file?: string;
  host: HostFacts;
}

/** @throws SbxError `config-not-found`, `config-syntax`, `config-invalid`. */
export async function loadProject(options: LoadOptions): Promise<ProjectSpec> {
  const file = options.file === undefined ? await findFile(options.cwd) : resolve(options.cwd, options.file);
  if (file === undefined)
    throw new SbxError('config-not-found', 'there is no sandbox.toml here', {
      why: `neither ${options.cwd} nor a folder above it has one`,
      hint: 'run `sbx init` to write one',
    });
  const dir = await realpath(dirname(file));
  const files: string[] = [];
  const own = await readTable(file, files);
  const { base, overrides } = split(own);
  const name = projectName(base, dir);
  const names = [...overrides.keys()];
  const sandboxes = [];
  const unsupported: ProjectSpec['unsupported'] = [];
  for (const key of names.length === 0 ? [undefined] : names) {
    const over = key === undefined ? undefined : overrides.get(key);
    const merged = await withTemplates(over === undefined ? base : withAgentOf(base, over), files);
    const config = plain(without(merged, ['version', 'name', 'sandboxes'])) as SandboxConfig;
    const sources = sourcesOf(merged);
    unsupported.push(...listUnsupported(config, sources));
    const count = config.count ?? 1;
    const stem = key === undefined ? name : key;
    for (let index = 1; index <= count; index += 1) {
      const sandboxName = config.count === undefined ? stem : `${stem}-${index}`;
      if (!NAME.test(sandboxName))
        throw new SbxError('config-invalid', `the sandbox name "${sandboxName}" is too long`, {
          place: over?.place ?? own.place,
          hint: 'choose a shorter name',
        });
      sandboxes.push(
        await buildSandbox({
          name: sandboxName,
          config,
          sources,
          dir,
          host: options.host,
          agentName: agentNameOf(merged),
        }),
      );
    }
  }
  const seen = new Set<string>();
  for (const { name: one } of sandboxes) {
    if (seen.has(one))
      throw new SbxError('config-invalid', `two sandboxes are named "${one}"`, {
        place: own.place,
        hint: 'rename one of them',
      });
    seen.add(one);
  }
  return { name, dir, files: [...new Set(files)], sandboxes, unsupported: dedupe(unsupported) };
}

async function readTable(file: string, files: string[], from?: Place): Promise<Table> {
  try {
    // A device or a pipe would never end.
    if (!(await stat(file)).isFile())
      throw new SbxError('config-invalid', `${file} is not a file`, {
        place: from ?? { file, line: 1, column: 1 },
        hint: 'name a TOML file',
      });
    files.push(file);
    return parseFile(await readFile(file), file);
  } catch (error) {
    const code = errnoOf(error);
    if (error instanceof SbxError || code === undefined) throw error;
    throw new SbxError('config-not-found', `${file} cannot be read`, {
      why: code,
      hint: 'check its name and its permissions',
      cause: error,
      ...(from === undefined ? {} : { place: from }),
    });
  }
}

function split(own: Table): { base: Table; overrides: Map<string, Table> } {
  const sandboxes = own.entries.get('sandboxes');
  const overrides = new Map<string, Table>();
  if (sandboxes?.kind === 'table')
    for (const [key, value] of sandboxes.entries) if (value.kind === 'table') overrides.set(key, value);
  return { base: without(own, ['sandboxes']), overrides };
}

/** A sandbox with an agent of its own does not keep the project's. */
function withAgentOf(base: Table, over: Table): Table {
  return merge(over.entries.has('agent') ? without(base, ['agent']) : base, over);
}

/** Templates first, in order; then the file itself. */
async function withTemplates(table: Table, files: string[], chain: string[] = []): Promise<Table> {
  let result: Table = { kind: 'table', entries: new Map(), place: table.place };
  for (const reference of referencesOf(table)) {
    const file = await resolveTemplate(reference);
    if (chain.includes(file) || file === reference.place.file) {
      const cycle = [...chain.slice(chain.indexOf(file)), reference.place.file, file]
        .map((one) => basename(one))
        .join(' → ');
      throw new SbxError('config-invalid', 'templates extend each other in a circle', {
        place: reference.place,
        why: cycle,
        hint: 'remove one of the extends',
      });
    }
    const template = await readTable(file, files, reference.place);
    result = merge(
      result,
      await withTemplates(without(template, ['name', 'sandboxes']), files, [...chain, reference.place.file]),
    );
  }
  const agent = table.entries.get('agent');
  // The name of a template is not the agent's table: that came with the template.
  const own = agent?.kind === 'leaf' ? without(table, ['agent', 'extends']) : without(table, ['extends']);
  const merged = merge(result, own);
  if (agent?.kind === 'leaf') merged.entries.set('agent-name', agent);
  return merged;
}

interface Reference {
  text: string;
  place: Place;
}

function referencesOf(table: Table): Reference[] {
  const list = table.entries.get('extends');
  const named = (list?.kind === 'list' ? list.items : []).flatMap((item) =>
    item.kind === 'leaf' ? [{ text: String(item.value), place: item.place }] : [],
  );
  const agent = table.entries.get('agent');
  return agent?.kind === 'leaf' ? [...named, { text: String(agent.value), place: agent.place }] : named;
}

async function resolveTemplate({ text, place }: Reference): Promise<string> {
  if (/^(git[+:]|https?:|ssh:|oci:|git@)/.test(text))
    throw new SbxError('config-unsupported', `templates from elsewhere are not supported yet: ${text}`, {
      place,
      hint: 'copy the template into the project and name its path',
    });
  if (text.includes('/') || text.endsWith('.toml')) return isAbsolute(text) ? text : resolve(dirname(place.file), text);
  const known = await builtinTemplates();
  if (known.includes(text)) return join(templatesDir(), `${text}.toml`);
  const guess = nearest(text, known);
  throw new SbxError('config-invalid', `there is no template "${text}"`, {
    place,
    hint: guess === undefined ? `built in are ${known.join(', ')}; a path begins with ./` : `did you mean "${guess}"?`,
  });
}

function agentNameOf(table: Table): string | undefined {
  const named = table.entries.get('agent-name');
  if (named?.kind === 'leaf') return String(named.value);
  const agent: Annotated | undefined = table.entries.get('agent');
  const inner = agent?.kind === 'table' ? agent.entries.get('name') : undefined;
  return inner?.kind === 'leaf' ? String(inner.value) : undefined;
}

function projectName(base: Table, dir: string): string {
  const named = base.entries.get('name');
  if (named?.kind === 'leaf') return String(named.value);
  const clean = basename(dir)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  return clean || 'project';
}

function dedupe(list: ProjectSpec['unsupported']): ProjectSpec['unsupported'] {
  return [...new Map(list.map((one) => [`${one.path} ${one.source.file}:${one.source.line}`, one])).values()];
}

/** For messages: shorter than the absolute path where the file lies below the folder one is in. */
export function shortPath(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short.startsWith('..') || short === '' ? file : short;
}
