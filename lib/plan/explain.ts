/** Renders a change as one line of text. Pure. */
import type { Source } from '../spec/spec.ts';
import type { Change } from './types.ts';

const EFFECT_WORDS: Record<Change['effect'], string> = {
  create: 'a new sandbox',
  live: 'takes effect at once',
  restart: 'needs a restart',
  rebuild: 'rebuilds the image; the disk of the sandbox is lost',
  destroy: 'the sandbox and its disk are removed',
  none: 'nothing to do',
};

export function explainChange(change: Change, shorten: (file: string) => string = (file) => file): string {
  const what =
    change.path === '.'
      ? change.effect === 'destroy'
        ? 'no longer in sandbox.toml'
        : `from ${show(change.to)}`
      : `${change.path}: ${change.path === 'agent.files' ? filesThatDiffer(change.from, change.to) : difference(change.from, change.to)}`;
  const place = placeOf(change.source, shorten);
  return `${change.sandbox}: ${what} → ${EFFECT_WORDS[change.effect]}${change.widens ? ' · WIDENS' : ''}${place === '' ? '' : ` (${place})`}`;
}

function difference(from: unknown, to: unknown): string {
  if (Array.isArray(to) && (Array.isArray(from) || from === null)) {
    const before = (from ?? []) as unknown[];
    const gone = before.filter((item) => !to.some((other) => JSON.stringify(other) === JSON.stringify(item)));
    const fresh = to.filter((item) => !before.some((other) => JSON.stringify(other) === JSON.stringify(item)));
    const parts = [...fresh.map((item) => `+ ${show(item)}`), ...gone.map((item) => `- ${show(item)}`)];
    return parts.length === 0 ? 'another order' : parts.join(', ');
  }
  return `${show(from)} → ${show(to)}`;
}

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
