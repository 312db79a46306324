/** Templates of a file, and theirs, merged below it. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { type Place, SbxError } from '../../errors.ts';
import { nearest } from './did-you-mean.ts';
import { type Annotated, merge, type Table, without } from './provenance.ts';
import { readTable } from './read-table.ts';
import { builtinTemplates, templatesDir } from './templates.ts';

interface Reference {
  text: string;
  place: Place;
}

/** Templates first, in order, the agent's last; then the file itself. `onRead` gets each template's path. */
export async function withTemplates(
  table: Table,
  onRead: (file: string) => void,
  chain: string[] = [],
): Promise<Table> {
  let below: Table = { kind: 'table', entries: new Map(), place: table.place };
  for (const reference of referencesOf(table)) {
    const file = await resolveTemplate(reference);
    const path = [...chain, reference.place.file];
    if (path.includes(file)) throw circle(reference.place, [...path, file]);
    const template = await readTable(file, reference.place);
    onRead(file);
    below = merge(below, await withTemplates(without(template, ['version', 'name', 'sandboxes']), onRead, path));
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

/** `agent = "<name>"` names the agent whose table came with the template. */
function named(table: Table, name: Annotated): Table {
  const agent = table.entries.get('agent');
  const parts = agent?.kind === 'table' ? agent.entries : [];
  const whole: Table = { kind: 'table', entries: new Map([...parts, ['name', name]]), place: name.place };
  return { ...table, entries: new Map([...table.entries, ['agent', whole]]) };
}

async function resolveTemplate({ text, place }: Reference): Promise<string> {
  if (/^(git|github|gitlab|https?|ssh|oci|file)(\+\w+)?:|^git@/.test(text))
    throw new SbxError('config-unsupported', `templates from elsewhere are not supported yet: ${text}`, {
      place,
      hint: 'copy the template into the project and name its path: "./template.toml"',
    });
  if (text.includes('/') || text.endsWith('.toml')) return templateFile(text, place);
  const known = await builtinTemplates();
  if (known.includes(text)) return join(templatesDir(), `${text}.toml`);
  const guess = nearest(text, known);
  throw new SbxError('config-invalid', `there is no template "${text}"`, {
    place,
    why: `built in are ${known.join(', ')}`,
    hint: guess === undefined ? 'name one of these, or a path: "./template.toml"' : `did you mean "${guess}"?`,
  });
}

async function templateFile(text: string, place: Place): Promise<string> {
  if (isAbsolute(text) || text.startsWith('~'))
    throw new SbxError('config-invalid', `a template's path must be relative: ${text}`, {
      place,
      why: 'the file is shared, and other machines have other folders',
      hint: 'copy the template into the project and name its path: "./template.toml"',
    });
  if (!text.endsWith('.toml'))
    throw new SbxError('config-invalid', `a template must be a TOML file: ${text}`, {
      place,
      why: 'its name does not end with .toml',
      hint: 'name a file such as "./template.toml"',
    });
  const file = resolve(dirname(place.file), text);
  // One file by two names would hide a circle.
  return realpath(file).catch(() => file);
}

function circle(place: Place, files: string[]): SbxError {
  const from = files.indexOf(files.at(-1) ?? '');
  return new SbxError('config-invalid', 'templates extend each other in a circle', {
    place,
    why: files
      .slice(from)
      .map((file) => basename(file))
      .join(' → '),
    hint: 'remove one of these from its extends',
  });
}
