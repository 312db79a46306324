/** Loads a project's sandbox.toml and its templates into a `ProjectSpec`. Only reads files; never runs code of the project. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { type Place, SbxError } from '../../errors.ts';
import type { ProjectSpec, SandboxSpec, Warning } from '../../spec/spec.ts';
import type { HostFacts } from '../resolve/host-facts.ts';
import { buildSandbox } from '../resolve/sandbox-spec.ts';
import { NAME, type SandboxConfig } from '../schema/schema.ts';
import { withTemplates } from './extends.ts';
import { findFile } from './find-file.ts';
import { merge, plain, sourcesOf, type Table, without } from './provenance.ts';
import { readTable } from './read-table.ts';
import { ignoredInTemplate, samePorts, warningsOf } from './warnings.ts';

export interface LoadOptions {
  cwd: string;
  /** Instead of searching upwards */
  file?: string;
  host: HostFacts;
}

const SANDBOXES_MAX = 200;

/** @throws SbxError `config-not-found`, `config-syntax`, `config-invalid`, `config-unsupported`: each but the first with its place. */
export async function loadProject(options: LoadOptions): Promise<ProjectSpec> {
  const file = await locate(options);
  const dir = dirname(file);
  const own = await readTable(file);
  const name = projectName(own, dir);
  const files = new Set([file]);
  const sandboxes: SandboxSpec[] = [];
  const warnings: Warning[] = [];
  for (const { table, stem } of variants(own, name)) {
    const merged = await withTemplates(table, {
      remote: options.host.templates,
      onRead: (path, template) => {
        files.add(path);
        warnings.push(...ignoredInTemplate(template));
      },
    });
    const config = plain(merged) as SandboxConfig;
    const sources = sourcesOf(merged);
    const spec = await buildSandbox({ config, sources, file, dir, host: options.host });
    warnings.push(...(await warningsOf(spec, options.host)));
    for (const one of namesOf(stem, config.count, table.place)) {
      if (sandboxes.some((other) => other.name === one)) throw sameName(one, table.place);
      if (sandboxes.length === SANDBOXES_MAX) throw tooMany(table.place);
      sandboxes.push({ name: one, ...spec });
    }
  }
  warnings.push(...samePorts(sandboxes));
  return { name, dir, files: [...files], sandboxes, warnings: distinct(warnings) };
}

async function locate({ cwd, file, host }: LoadOptions): Promise<string> {
  const found = file === undefined ? await findFile(cwd, host.owners) : resolve(cwd, file);
  if (found === undefined)
    throw new SbxError('config-not-found', 'no sandbox.toml found', {
      why: `${resolve(cwd)} and the folders above it have none`,
      hint: 'run `sbx init` to create one',
    });
  const dir = await realpath(dirname(found)).catch(() => dirname(found));
  return join(dir, basename(found));
}

/** The table of each sandbox: the file itself, or each of `[sandboxes.*]` merged over it. */
function variants(own: Table, name: string): { table: Table; stem: string }[] {
  const base = without(own, ['version', 'name', 'sandboxes']);
  const sandboxes = own.entries.get('sandboxes');
  const overrides = sandboxes?.kind === 'table' ? [...sandboxes.entries] : [];
  const several = overrides.flatMap(([stem, over]) =>
    over.kind === 'table' ? [{ stem, table: mergeVariant(base, over) }] : [],
  );
  return several.length === 0 ? [{ stem: name, table: base }] : several;
}

/** A sandbox with an agent of its own does not keep the project's. */
function mergeVariant(base: Table, over: Table): Table {
  const agent = over.entries.get('agent');
  return merge(agent?.kind === 'leaf' ? without(base, ['agent']) : base, over);
}

function namesOf(stem: string, count: number | undefined, place: Place): string[] {
  const names = count === undefined ? [stem] : Array.from({ length: count }, (_, index) => `${stem}-${index + 1}`);
  const wrong = names.find((one) => !NAME.test(one));
  if (wrong === undefined) return names;
  throw new SbxError('config-invalid', `the sandbox name "${wrong}" is too long`, {
    place,
    why: 'a name has at most 40 characters, including its number',
    hint: 'choose a shorter name',
  });
}

function tooMany(place: Place): SbxError {
  return new SbxError('config-invalid', `a project has at most ${SANDBOXES_MAX} sandboxes`, {
    place,
    hint: 'lower `count`, or split the project into more folders',
  });
}

function sameName(name: string, place: Place): SbxError {
  return new SbxError('config-invalid', `two sandboxes are named "${name}"`, {
    place,
    why: 'count numbers the names of its sandbox: name-1, name-2 …',
    hint: 'rename one of them',
  });
}

function projectName(own: Table, dir: string): string {
  const named = own.entries.get('name');
  return named?.kind === 'leaf' ? String(named.value) : nameFromFolder(dir);
}

export function nameFromFolder(dir: string): string {
  const clean = basename(dir)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 41)
    .replace(/^-+/, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  return clean || 'project';
}

/** Several sandboxes share most of a file. */
function distinct(list: Warning[]): Warning[] {
  return [...new Map(list.map((one) => [one.message, one])).values()];
}

/** For messages: relative if the file is below the current folder, else absolute. */
export function shortPath(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short.startsWith('..') || short === '' ? file : short;
}
