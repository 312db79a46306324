/** Fetches the TOML files of a repository with the host's git. Nothing is checked out, and nothing of the repository is run. */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { removeTree } from '../../system/remove-tree.ts';
import { runToEnd } from '../../system/run-tool.ts';
import type { GitReference } from './reference.ts';
import type { Files } from './tree-cache.ts';

export interface Fetched {
  commit: string;
  files: Files;
}

const DEADLINE_MS = 120_000;
/** Of one file that git writes, such as a pack */
const PACK_MAX = 256 * 1024 * 1024;
const FILES_MAX = 200;
const BYTES_MAX = 8 * 1024 * 1024;
const REF = 'refs/sbx/template';
/** What of the environment says where git works: here it works in a folder of its own. */
const PLACES =
  /^GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|PREFIX)$/;

/** @throws SbxError `template-missing` with git's own words, `tool-missing`, `cancelled` */
export async function fetchGit(reference: GitReference, signal?: AbortSignal): Promise<Fetched> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-template-'));
  try {
    return await fetchInto(dir, reference, signal);
  } finally {
    removeTree(dir);
  }
}

async function fetchInto(dir: string, reference: GitReference, signal: AbortSignal | undefined): Promise<Fetched> {
  const git = async (...words: string[]) => {
    const [command, ...args] = commandFor(dir, reference, words);
    const { code, stdout, tail } = await runToEnd(command, args, {
      env: environment(),
      cwd: dir,
      deadlineMs: DEADLINE_MS,
      signal,
    });
    if (code !== 0) throw notFetched(reference, tail.filter(Boolean).slice(-3).join(' '));
    return stdout;
  };
  await git('init', '--quiet', '--bare', '--template=', '.');
  const refspec = `+${reference.revision}:${REF}`;
  await git('fetch', '--quiet', '--depth=1', '--no-tags', '--no-recurse-submodules', '--', reference.url, refspec);
  const commit = (await git('rev-parse', '--verify', '--end-of-options', `${REF}^{commit}`)).trim();
  const entries = entriesOf(await git('ls-tree', '-r', '-z', '--full-tree', commit)).filter(({ path }) =>
    path.endsWith('.toml'),
  );
  const wanted = entries.find(({ path }) => path === reference.path);
  if (wanted === undefined) throw notFetched(reference, `commit ${commit} has no file ${reference.path}`);
  if (!wanted.isFile) throw notFetched(reference, `${reference.path} is a link or a submodule, not a file`);
  const files = entries.filter(({ isFile }) => isFile);
  if (files.length > FILES_MAX) throw notFetched(reference, `it has more than ${FILES_MAX} TOML files`);
  return { commit, files: await readBlobs(dir, reference, files) };
}

/** It can write to its folder only. The user's own configuration of git counts: proxies, certificates, credential helpers. */
function commandFor(dir: string, { scheme }: GitReference, words: string[]): [string, ...string[]] {
  const settings = [
    'protocol.allow=never',
    `protocol.${scheme}.allow=always`,
    // Another host could be meant by the one that was written.
    'http.followRedirects=false',
    'core.hooksPath=/dev/null',
    'core.fsmonitor=false',
    'submodule.recurse=false',
    'fetch.fsckObjects=true',
    'gc.auto=0',
    'maintenance.auto=false',
  ];
  return [
    'bwrap',
    ...['--ro-bind', '/', '/', '--dev-bind', '/dev', '/dev', '--bind', dir, dir, '--chdir', dir],
    ...['--unshare-pid', '--proc', '/proc', '--die-with-parent', '--'],
    ...['prlimit', `--fsize=${PACK_MAX}`, 'git', ...settings.flatMap((one) => ['-c', one]), ...words],
  ];
}

function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !PLACES.test(name));
  return { ...Object.fromEntries(own), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_LFS_SKIP_SMUDGE: '1' };
}

interface Entry {
  id: string;
  path: string;
  isFile: boolean;
}

/** Of `ls-tree -z`. A path that could leave its folder is no file of ours: git itself refuses most of them. */
function entriesOf(text: string): Entry[] {
  return text.split('\0').flatMap((line) => {
    const [, mode, id = '', path = ''] = /^(\d+) \w+ ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
    const isPlain = path !== '' && path.split('/').every((name) => !['', '.', '..'].includes(name));
    return mode === undefined || !isPlain ? [] : [{ id, path, isFile: mode === '100644' || mode === '100755' }];
  });
}

/** One process for all, so that bytes are not taken for text. */
async function readBlobs(dir: string, reference: GitReference, entries: Entry[]): Promise<Files> {
  const [command, ...args] = commandFor(dir, reference, ['cat-file', '--batch']);
  const child = spawn(command, args, { env: environment(), cwd: dir, stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => {});
  child.stdin.end(entries.map(({ id }) => `${id}\n`).join(''));
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) {
      child.kill('SIGKILL');
      throw notFetched(reference, `its TOML files have more than ${BYTES_MAX / 1024 / 1024} MiB`);
    }
    chunks.push(chunk);
  }
  return filesOf(Buffer.concat(chunks), reference, entries);
}

/** Of `cat-file --batch`: a line with the size, the bytes, a line feed. */
function filesOf(answer: Buffer, reference: GitReference, entries: Entry[]): Files {
  let at = 0;
  return new Map(
    entries.map(({ id, path }): [string, Buffer] => {
      const end = answer.indexOf('\n', at);
      const [name, kind, size] = answer.toString('utf8', at, end).split(' ');
      if (end < 0 || name !== id || kind !== 'blob') throw notFetched(reference, `${path} cannot be read`);
      const from = end + 1;
      at = from + Number(size) + 1;
      return [path, Buffer.from(answer.subarray(from, from + Number(size)))];
    }),
  );
}

function notFetched({ text }: GitReference, why: string): SbxError {
  return new SbxError('template-missing', `the template ${text} could not be fetched`, {
    why: why === '' ? 'git gave no reason' : why,
    hint: 'check that `git ls-remote` of this repository works, then run `sbx lock`',
  });
}
