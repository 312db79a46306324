/** Asks the host's git what it reads or runs outside of the repository's own folder (included files, hooks elsewhere, filters and helpers), and what it ignores. */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { run, runToEnd } from '../../system/run-tool.ts';
import { below } from './folder-paths.ts';
import type { ProtectedPath } from './protected.ts';

/** Keys whose value git runs without being asked to */
const COMMANDS = [
  /^core\.(fsmonitor|sshcommand|editor|pager|askpass|gitproxy)$/,
  /^(sequence\.editor|diff\.external|interactive\.difffilter)$/,
  /^(diff\..*\.(command|textconv)|merge\..*\.driver|filter\..*\.(clean|smudge|process))$/,
  /^(gpg\..*program|credential\..*helper|pager\..*)$/,
];
const GIT_DEADLINE_MS = 5_000;

/** Paths below `root` that the config of the repository `gitDir` names, asked of git itself. Without git on the host nothing there reads it. */
export async function namedByGitConfig(root: string, gitDir: string): Promise<ProtectedPath[]> {
  const dir = join(root, gitDir);
  const tree = basename(dir) === '.git' ? dirname(dir) : dir;
  const text = await run('git', ['-C', tree, 'config', '--null', '--show-origin', '--list'], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      XDG_CONFIG_HOME: process.env['XDG_CONFIG_HOME'],
      LC_ALL: 'C',
    },
    deadlineMs: GIT_DEADLINE_MS,
  }).catch(() => '');
  const fields = text.split('\0');
  return fields.flatMap((origin, index) => {
    if (index % 2 === 1) return [];
    const [key = '', ...value] = (fields[index + 1] ?? '').split('\n');
    return namedBy({ root, tree, origin, key, value: value.join('\n') });
  });
}

interface Entry {
  root: string;
  tree: string;
  origin: string;
  key: string;
  value: string;
}

function namedBy(entry: Entry): ProtectedPath[] {
  const { tree, key, value } = entry;
  const file = entry.origin.startsWith('file:') ? resolve(tree, entry.origin.slice('file:'.length)) : undefined;
  const paths = file === undefined ? [] : at(entry, file);
  if (key === 'core.hookspath') paths.push(...at(entry, resolve(tree, home(value)), { kind: 'dir' }));
  if (/^include(if\..*)?\.path$/.test(key) && file !== undefined)
    paths.push(...at(entry, resolve(dirname(file), home(value)), { kind: 'file', content: '' }));
  if (COMMANDS.some((pattern) => pattern.test(key)))
    for (const word of value.split(/[\s"'!;|&]+/).filter((one) => one.includes('/')))
      if (isFile(resolve(tree, word))) paths.push(...at(entry, resolve(tree, word)));
  return paths;
}

function at(entry: Entry, path: string, placeholder?: ProtectedPath['placeholder']): ProtectedPath[] {
  const inside = below(entry.root, real(path));
  // A command may name the work tree's own git folder: it stays writable.
  return inside === undefined || basename(inside) === '.git' ? [] : [{ path: inside, placeholder }];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
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

/**
 * True when the host's git would take a file at this path into the next `git add -A`: a mount stub there must be an empty folder,
 * which git does not see. Elsewhere it is a file, so that a program that writes the real one succeeds.
 */
export async function wouldBeCommitted(root: string, path: string): Promise<boolean> {
  const { PATH, HOME, XDG_CONFIG_HOME } = process.env;
  const args = ['-C', root, 'check-ignore', '--quiet', '--no-index', '--', path];
  const options = { env: { PATH, HOME, XDG_CONFIG_HOME, LC_ALL: 'C' }, deadlineMs: 5_000 };
  const ended = await runToEnd('git', args, options).catch(() => undefined);
  // 0: ignored, 1: not ignored, 128: no repository.
  return ended?.code === 1;
}
