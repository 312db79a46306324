/** Renders a change as one line of text. Pure. */
import type { Source, VmSize } from '../spec/spec.ts';
import { formatDuration, formatSize } from '../spec/units.ts';
import { fileName } from './file-name.ts';
import type { Change } from './types.ts';

const EFFECT_WORDS: Record<Change['effect'], string> = {
  create: 'a new sandbox',
  live: 'takes effect at once',
  restart: 'restarts the sandbox on its own disk',
  rebuild: 'rebuilds the sandbox: everything on its own disk is lost',
  destroy: 'the sandbox and its disk are removed',
  none: 'nothing to do',
};

export function explainChange(change: Change, shorten: (file: string) => string = (file) => file): string {
  const what =
    change.path === '.'
      ? change.effect === 'destroy'
        ? 'no longer in sandbox.toml'
        : `from ${show(change.to)}`
      : `${fileName(change.path)}: ${difference(change)}`;
  const place = placeOf(change.source, shorten);
  return `${change.sandbox}: ${what} → ${effectText(change)}${change.reason === undefined ? '' : ` (${change.reason})`}${change.widens ? ' · WIDENS' : ''}${place === '' ? '' : ` (${place})`}`;
}

/** What a change asks for and the line that does, without its effect: for the question of approval. */
export function explainRequest(change: Change, shorten: (file: string) => string = (file) => file): string {
  const what = change.path === '.' ? `from ${show(change.to)}` : `${fileName(change.path)}: ${difference(change)}`;
  const place = placeOf(change.source, shorten);
  return `${change.sandbox}: ${what}${place === '' ? '' : ` (${place})`}`;
}

function effectText({ path, effect }: Change): string {
  if (path === 'resources.diskBytes' && effect === 'live') return 'grows in place, with its file system';
  if (path === 'packages.setup' && effect === 'live') return 'runs on its own disk as it is';
  if (path.startsWith('packages.') && effect === 'live') return 'installed on its own disk as it is';
  return EFFECT_WORDS[effect];
}

function difference({ path, from, to }: Change): string {
  if (path === 'agent.files') return filesThatDiffer(from, to);
  if (Array.isArray(to) && (Array.isArray(from) || from === null)) {
    const before = (from ?? []) as unknown[];
    const gone = before.filter((item) => !to.some((other) => JSON.stringify(other) === JSON.stringify(item)));
    const fresh = to.filter((item) => !before.some((other) => JSON.stringify(other) === JSON.stringify(item)));
    const parts = [...fresh.map((item) => `+ ${show(item)}`), ...gone.map((item) => `- ${show(item)}`)];
    return parts.length === 0 ? 'another order' : parts.join(', ');
  }
  const text = UNITS[path] ?? show;
  return `${text(from)} → ${text(to)}`;
}

type Text = (value: unknown) => string;

const unlessAbsent =
  (format: (value: number) => string): Text =>
  (value) =>
    typeof value === 'number' ? format(value) : show(value);
const size = unlessAbsent(formatSize);

/** Of values that are numbers in a spec and have units in the file */
const UNITS: Record<string, Text> = {
  'resources.memoryBytes': size,
  'resources.diskBytes': size,
  'lifecycle.idleSeconds': unlessAbsent(formatDuration),
  'git.signingKey': (value) =>
    typeof value === 'string' ? `commits signed with your key ${value} by the ssh agent of the host` : show(value),
  'network.bandwidth': unlessAbsent((value) => `${formatSize(value)}/s`),
  resources: (value) => {
    const { cpus, memoryBytes } = value as VmSize;
    return `${cpus} cpus, ${formatSize(memoryBytes)}`;
  },
};

/** Lists names only: contents may be long. */
function filesThatDiffer(from: unknown, to: unknown): string {
  const [before, after] = [from ?? {}, to ?? {}] as [Record<string, string>, Record<string, string>];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const sign = (name: string) => (before[name] === undefined ? '+' : after[name] === undefined ? '-' : '~');
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => `${sign(name)} ${name}`)
    .join(', ');
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}

function placeOf(source: Source, shorten: (file: string) => string): string {
  return source === 'default' ? '' : `${shorten(source.file)}:${source.line}`;
}
