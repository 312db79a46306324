/** Asks the host's git what its configuration and its hooks outside of a workspace name inside of it: included files, hooks elsewhere, filters and helpers. */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { SbxError } from '../errors.ts';
import { run } from '../system/run-tool.ts';
import { conditionalEntries, type Entry, entriesIn, filesOf, home } from './host-git-entries.ts';
import { below } from './paths-below.ts';

/** Keys whose value git runs without being asked to */
const COMMANDS = [
  /^core\.(fsmonitor|sshcommand|editor|pager|askpass|gitproxy)$/,
  /^(sequence\.editor|diff\.external|interactive\.difffilter)$/,
  /^(diff\..*\.(command|textconv)|merge\..*\.driver|filter\..*\.(clean|smudge|process))$/,
  /^(gpg\..*program|credential\..*helper|pager\..*)$/,
];
const GIT_DEADLINE_MS = 5_000;
const LINKS_MAX = 20;

interface HostGit {
  /** Paths below the root */
  named: string[];
  /** What it depends on, absolute: files of the configuration, also those that do not exist yet, and folders of hooks */
  sources: string[];
  /** There is a git, and it cannot read its configuration: it names nothing until that is corrected */
  isBroken: boolean;
}

/** Without git on the host nothing there reads its configuration, and nothing is named. */
export async function readHostGit(root: string): Promise<HostGit> {
  const { PATH, HOME, XDG_CONFIG_HOME } = process.env;
  const options = { env: { PATH, HOME, XDG_CONFIG_HOME, LC_ALL: 'C' }, deadlineMs: GIT_DEADLINE_MS };
  const ask = (...words: string[]) => run('git', ['-C', root, ...words], options).catch(() => '');
  let isBroken = false;
  const listed = run('git', ['-C', root, 'config', '--null', '--show-origin', '--list'], options);
  const [text, shown, hooks] = await Promise.all([
    listed.catch((error: unknown) => {
      isBroken = !(error instanceof SbxError && error.code === 'tool-missing');
      return '';
    }),
    ask('rev-parse', '--show-toplevel'),
    ask('rev-parse', '--git-path', 'hooks'),
  ]);
  // Of a subfolder of a work tree git takes relative paths from the top.
  const tops = [...new Set([root, shown.replace(/\n$/, '') || root])];
  const now = entriesIn(text, { root, tops });
  const list = (file: string) => ask('config', '--null', '--show-origin', '--includes', '--file', file, '--list');
  const entries = [...now, ...(await conditionalEntries(now, list))];
  const folders = hooks === '' ? [] : tops.map((top) => resolve(top, hooks.replace(/\n$/, '')));
  return {
    named: [...new Set([...entries.flatMap(namedBy), ...folders.flatMap((folder) => linkedHooks(root, folder))])],
    sources: [...new Set([...globalFiles(), ...entries.flatMap(filesOf), ...folders])],
    isBroken,
  };
}

/** Where git looks for the configuration of the user and of the system. */
function globalFiles(): string[] {
  const { HOME = '/', XDG_CONFIG_HOME = '' } = process.env;
  const folder = XDG_CONFIG_HOME === '' ? join(HOME, '.config') : XDG_CONFIG_HOME;
  return [join(HOME, '.gitconfig'), join(folder, 'git/config'), '/etc/gitconfig'];
}

/** Where the folder of the hooks and the links in it lead. */
function linkedHooks(root: string, folder: string): string[] {
  const paths = [folder, ...namesIn(folder).map((name) => join(folder, name))];
  return paths.flatMap((path) => pathsBelow(root, trail(path).slice(1)));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function namedBy(entry: Entry): string[] {
  const { root, tops, key, value } = entry;
  const paths = filesOf(entry);
  if (key === 'core.hookspath') paths.push(...tops.map((top) => resolve(top, home(value))));
  if (COMMANDS.some((pattern) => pattern.test(key))) paths.push(...tops.flatMap((top) => filesIn(top, value)));
  return paths.flatMap((path) => inside(root, path));
}

function filesIn(root: string, command: string): string[] {
  const words = command.split(/[\s"'!;|&]+/).filter((word) => word.includes('/'));
  return words.map((word) => resolve(root, word)).filter(isFile);
}

/** What a guest made of the path may be a loop, or closed. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** As it is written, and each path that it leads to. */
function inside(root: string, path: string): string[] {
  // A command may name the work tree's own git folder: its parts have rules of their own.
  return pathsBelow(root, trail(path)).filter((one) => basename(one) !== '.git');
}

function pathsBelow(root: string, paths: string[]): string[] {
  return paths.flatMap((one) => below(root, one) ?? []);
}

/** The path and each one that it leads to, one link after the other: the guest could replace any of them. */
function trail(path: string): string[] {
  const found = [path];
  for (let next = firstLink(path); next !== undefined && found.length <= LINKS_MAX; next = firstLink(next))
    found.push(next);
  return found;
}

/** The absolute path with its first link replaced by its target. */
function firstLink(path: string): string | undefined {
  const names = path.split('/');
  for (let at = 2; at <= names.length; at += 1) {
    const head = names.slice(0, at).join('/');
    const target = targetOf(head);
    if (target !== undefined) return resolve(dirname(head), target, ...names.slice(at));
  }
  return undefined;
}

/** Undefined: no link. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
