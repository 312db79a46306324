/** Asks the host's git what its configuration outside of a workspace names inside of it: included files, hooks elsewhere, filters and helpers. */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { run } from '../system/run-tool.ts';
import { below } from './paths-below.ts';

/** Keys whose value git runs without being asked to */
const COMMANDS = [
  /^core\.(fsmonitor|sshcommand|editor|pager|askpass|gitproxy)$/,
  /^(sequence\.editor|diff\.external|interactive\.difffilter)$/,
  /^(diff\..*\.(command|textconv)|merge\..*\.driver|filter\..*\.(clean|smudge|process))$/,
  /^(gpg\..*program|credential\..*helper|pager\..*)$/,
];
const GIT_DEADLINE_MS = 5_000;

/** Paths below `root`. Without git on the host nothing there reads its configuration, and there are none. */
export async function namedByHostGit(root: string): Promise<string[]> {
  const { PATH, HOME, XDG_CONFIG_HOME } = process.env;
  const options = { env: { PATH, HOME, XDG_CONFIG_HOME, LC_ALL: 'C' }, deadlineMs: GIT_DEADLINE_MS };
  const [text, shown] = await Promise.all([
    run('git', ['-C', root, 'config', '--null', '--show-origin', '--list'], options).catch(() => ''),
    run('git', ['-C', root, 'rev-parse', '--show-toplevel'], options).catch(() => ''),
  ]);
  // Of a subfolder of a work tree git takes relative paths from the top.
  const tops = [...new Set([root, shown.replace(/\n$/, '') || root])];
  const fields = text.split('\0');
  const found = fields.flatMap((origin, index) => {
    if (index % 2 === 1) return [];
    const [key = '', ...value] = (fields[index + 1] ?? '').split('\n');
    return namedBy({ root, tops, origin, key, value: value.join('\n') });
  });
  return [...new Set(found)];
}

interface Entry {
  root: string;
  /** Where relative paths may count from */
  tops: string[];
  origin: string;
  key: string;
  value: string;
}

function namedBy({ root, tops, origin, key, value }: Entry): string[] {
  const files = origin.startsWith('file:') ? tops.map((top) => resolve(top, origin.slice('file:'.length))) : [];
  const paths = [...files];
  if (key === 'core.hookspath') paths.push(...tops.map((top) => resolve(top, home(value))));
  if (/^include(if\..*)?\.path$/.test(key)) paths.push(...files.map((file) => resolve(dirname(file), home(value))));
  if (COMMANDS.some((pattern) => pattern.test(key))) paths.push(...tops.flatMap((top) => filesIn(top, value)));
  return paths.flatMap((path) => inside(root, path));
}

function filesIn(root: string, command: string): string[] {
  const words = command.split(/[\s"'!;|&]+/).filter((word) => word.includes('/'));
  return words.map((word) => resolve(root, word)).filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/** As it is written, and what it leads to. */
function inside(root: string, path: string): string[] {
  // A command may name the work tree's own git folder: its parts have rules of their own.
  return [path, real(path)].flatMap((one) => below(root, one) ?? []).filter((one) => basename(one) !== '.git');
}

/** Of what is there; a path to nothing stays as it was written. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function home(value: string): string {
  return value.startsWith('~/') ? join(process.env['HOME'] ?? '/', value.slice(2)) : value;
}
