/** A folder of the host with real git in it, and a guest that gets there what the policy lets pass, and nothing else. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { compileWorkspacePolicy, type WorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { decideWorkspace } from '../../../../lib/workspace/policy/decide.ts';
import { indexPaths } from '../../../../lib/workspace/policy/match/path-index.ts';
import { judgeRename } from '../../../../lib/workspace/policy/rename.ts';
import type { EntryKind, WorkspaceFacts, WorkspaceOperation } from '../../../../lib/workspace/policy/types.ts';

export interface Host {
  /** The workspace */
  path: string;
  /** Beside it, not seen by the guest */
  outside: string;
  /** The command whose run is the damage, and whether it ran */
  canary: string;
  hasRun(): boolean;
  /** Git of the host; what it says, also when it fails */
  git(...args: string[]): string;
  gitIn(folder: string, ...args: string[]): string;
  write(path: string, content: string, mode?: number): void;
  [Symbol.dispose](): void;
}

export function makeHost(): Host {
  const root = mkdtempSync(join(tmpdir(), 'sbx-policy-'));
  const [path, outside, canaried] = ['ws', 'outside', 'ran'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  const canary = join(root, 'canary.sh');
  writeFileSync(canary, `#!/bin/sh\necho ran >> ${canaried}\n`, { mode: 0o755 });
  for (const folder of [path, outside]) mkdirSync(folder);
  const env = {
    PATH: process.env['PATH'],
    HOME: root,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CEILING_DIRECTORIES: root,
    GIT_TERMINAL_PROMPT: '0',
    GIT_EDITOR: 'true',
    LC_ALL: 'C',
  };
  const gitIn = (folder: string, ...args: string[]) => runGit(join(path, folder), args, env);
  gitIn('', 'config', '--global', 'user.name', 'host');
  gitIn('', 'config', '--global', 'user.email', 'host@example.com');
  return {
    path,
    outside,
    canary,
    hasRun: () => existsSync(canaried),
    git: (...args) => gitIn('', ...args),
    gitIn,
    write: (file, content, mode = 0o644) => put(join(path, file), content, mode),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

function runGit(cwd: string, args: string[], env: NodeJS.ProcessEnv): string {
  try {
    return execFileSync('git', args, {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: 60_000,
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}`;
  }
}

function put(file: string, content: string, mode: number): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

export interface Guest {
  write(path: string, content: string, mode?: number): void;
  append(path: string, content: string): void;
  folder(path: string): void;
  link(path: string, target: string): void;
  remove(path: string): void;
  rename(from: string, to: string): void;
}

/** `without`: rules left out. What is refused is skipped, as if it had gone to the private layer. */
export function guestOf(
  host: Host,
  { without = [], named = [] }: { without?: readonly string[]; named?: string[] },
): Guest {
  const fold = (name: string) => name;
  const policy = compileWorkspacePolicy({
    hide: [],
    readonly: [],
    private: [],
    unprotect: [],
    configFiles: [],
    fold,
    without,
  });
  const facts: WorkspaceFacts = { entry: (path) => kindOf(join(host.path, path)), named: indexPaths(named, fold) };
  const passes = (path: string, operation: WorkspaceOperation, kind?: EntryKind) =>
    allows({ policy, facts, path, operation, kind });
  const at = (path: string) => join(host.path, path);
  const folder = (path: string): void => {
    if (path === '.' || facts.entry(path) !== undefined) return;
    folder(dirname(path));
    if (facts.entry(dirname(path)) === 'folder' || dirname(path) === '.')
      if (passes(path, 'create', 'folder')) mkdirSync(at(path));
  };
  const isRoom = (path: string) => existsSync(dirname(at(path)));
  return {
    folder,
    write(path, content, mode = 0o644) {
      folder(dirname(path));
      const operation = facts.entry(path) === undefined ? 'create' : 'write';
      if (isRoom(path) && passes(path, operation, 'file') && passes(path, 'metadata', 'file'))
        put(at(path), content, mode);
    },
    append(path, content) {
      if (passes(path, 'write')) writeFileSync(at(path), content, { flag: 'a' });
    },
    link(path, target) {
      folder(dirname(path));
      if (isRoom(path) && facts.entry(path) === undefined && passes(path, 'create', 'link'))
        symlinkSync(target, at(path));
    },
    remove(path) {
      if (facts.entry(path) !== undefined && passes(path, 'remove')) rmSync(at(path), { recursive: true });
    },
    rename(from, to) {
      const kind = facts.entry(from);
      if (kind !== undefined && isRoom(to) && judgeRename(policy, { from, to, kind, facts }).verdict === 'pass')
        renameSync(at(from), at(to));
    },
  };
}

interface Question {
  policy: WorkspacePolicy;
  facts: WorkspaceFacts;
  path: string;
  operation: WorkspaceOperation;
  kind: EntryKind | undefined;
}

function allows({ policy, ...request }: Question): boolean {
  return decideWorkspace(policy, request).verdict === 'pass';
}

function kindOf(path: string): EntryKind | undefined {
  const found = isFolder(dirname(path)) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  if (found === undefined) return undefined;
  if (found.isDirectory()) return 'folder';
  return found.isSymbolicLink() ? 'link' : found.isFile() ? 'file' : 'other';
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export function contentOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
