/** Merges the templates of a file, recursively, below the file itself. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { type Place, SbxError } from '../../errors.ts';
import type { RemoteTemplates } from '../remote/locked.ts';
import { isGitReference } from '../remote/reference.ts';
import { treeOf } from '../remote/tree-cache.ts';
import { nearest } from './did-you-mean.ts';
import { type Annotated, merge, type Table, without } from './provenance.ts';
import { readTable } from './read-table.ts';
import { builtinTemplates, templatesDir } from './templates.ts';

interface Reference {
  text: string;
  place: Place;
}

export interface TemplateOptions {
  /** Gets each template */
  onRead: (file: string, template: Table) => void;
  /** Finds those of repositories; absent: there are none */
  remote?: RemoteTemplates | undefined;
}

/** Templates first, in order, the agent's last; then the file itself. */
export async function withTemplates(table: Table, options: TemplateOptions, chain: string[] = []): Promise<Table> {
  let below: Table = { kind: 'table', entries: new Map(), place: table.place };
  for (const reference of referencesOf(table)) {
    const path = [...chain, reference.place.file];
    const file = await resolveTemplate(reference, dirname(path[0] ?? ''), options.remote);
    if (path.includes(file)) throw circular(reference.place, [...path, file]);
    const template = await readTable(file, reference.place);
    options.onRead(file, template);
    below = merge(below, await withTemplates(without(template, ['version', 'name', 'sandboxes']), options, path));
  }
  const agent = table.entries.get('agent');
  const names = agent?.kind === 'leaf' ? ['agent', 'extends'] : ['extends'];
  const merged = merge(below, without(table, names));
  return agent?.kind === 'leaf' ? named(merged, agent) : merged;
}

function referencesOf(table: Table): Reference[] {
  const list = table.entries.get('extends');
  const named = (list?.kind === 'list' ? list.items : []).flatMap(referenceOf);
  const agent = table.entries.get('agent');
  return agent === undefined ? named : [...named, ...referenceOf(agent)];
}

function referenceOf(node: Annotated): Reference[] {
  return node.kind === 'leaf' ? [{ text: String(node.value), place: node.place }] : [];
}

/** Adds the name of `agent = "<name>"` to the agent table of the template. */
function named(table: Table, name: Annotated): Table {
  const agent = table.entries.get('agent');
  const parts = agent?.kind === 'table' ? agent.entries : [];
  const whole: Table = { kind: 'table', entries: new Map([...parts, ['name', name]]), place: name.place };
  return { ...table, entries: new Map([...table.entries, ['agent', whole]]) };
}

async function resolveTemplate(
  { text, place }: Reference,
  projectDir: string,
  remote: RemoteTemplates | undefined,
): Promise<string> {
  if (isGitReference(text) && remote !== undefined) return remote(text, place, projectDir);
  if (/^(git|github|gitlab|https?|ssh|oci|file)(\+\w+)?:|^git@/.test(text))
    throw new SbxError('config-unsupported', `templates are not taken from there yet: ${text}`, {
      place,
      hint: 'write it as git+https:// or git+ssh:// (see docs/templates.md), or copy the template into the project and use its path',
    });
  if (text.includes('/') || text.endsWith('.toml')) return templateFile({ text, place }, projectDir);
  const known = await builtinTemplates();
  if (known.includes(text)) return join(templatesDir(), `${text}.toml`);
  const guess = nearest(text, known);
  throw new SbxError('config-invalid', `unknown template "${text}"`, {
    place,
    why: `the built-in templates are ${known.join(', ')}`,
    hint: guess === undefined ? 'use one of these, or a path: "./template.toml"' : `did you mean "${guess}"?`,
  });
}

async function templateFile({ text, place }: Reference, projectDir: string): Promise<string> {
  if (isAbsolute(text) || text.startsWith('~'))
    throw new SbxError('config-invalid', `the path of a template must be relative: ${text}`, {
      place,
      why: 'sandbox.toml is shared, and absolute paths differ between machines',
      hint: 'copy the template into the project and use its path: "./template.toml"',
    });
  if (!text.endsWith('.toml'))
    throw new SbxError('config-invalid', `a template must be a TOML file: ${text}`, {
      place,
      why: 'its name does not end with .toml',
      hint: 'use a file such as "./template.toml"',
    });
  const file = resolve(dirname(place.file), text);
  const tree = treeOf(place.file);
  if (tree !== undefined && !isBelow(file, tree.dir))
    throw new SbxError('config-invalid', `the path of a template leads out of its repository: ${text}`, {
      place,
      hint: 'ask who wrote the template: it can only name files of its own repository',
    });
  // Without the real path, a second name of a file would hide a circular `extends`.
  const real = await realpath(file).catch(() => file);
  const project = await realpath(projectDir).catch(() => projectDir);
  const isNamedInside = isBelow(file, projectDir) || isBelow(file, project);
  if (isNamedInside && !isBelow(real, project))
    throw new SbxError('config-invalid', `the template ${text} is behind a link that leads out of the project`, {
      place,
      why: `it is ${real}, and an agent that can change the link could choose any file of the host`,
      hint: 'replace the link with the file',
    });
  return real;
}

function isBelow(file: string, dir: string): boolean {
  return file.startsWith(join(dir, '/'));
}

function circular(place: Place, files: string[]): SbxError {
  const from = files.indexOf(files.at(-1) ?? '');
  return new SbxError('config-invalid', 'circular `extends`', {
    place,
    why: files
      .slice(from)
      .map((file) => basename(file))
      .join(' → '),
    hint: 'remove one of these from the `extends` of another',
  });
}
