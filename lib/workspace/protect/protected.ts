/**
 * Paths of a workspace that programs on the host run or obey without asking: the guest may read them, never write them.
 * What a person starts by name there (`make`, `npm test`, a program in `.venv`) is not among them: the agent is there to write it.
 */
import { joinBelow } from './folder-paths.ts';

export interface ProtectedPath {
  /** Below the workspace */
  path: string;
  /** The mount stub for a missing path while the VM runs; undefined: none is made */
  placeholder: { kind: 'dir' } | { kind: 'file'; content: string } | undefined;
}

/** Git ignores empty folders: a mount stub in the work tree is one, so that it is not committed. */
const EMPTY_DIR = { kind: 'dir' } as const;
const EMPTY_FILE = { kind: 'file', content: '' } as const;

/** Settings of agents, editors and shells that name commands. */
export const SETTINGS: readonly string[] = [
  'sandbox.toml',
  '.claude',
  '.codex',
  '.gemini',
  '.copilot',
  '.opencode',
  '.qwen',
  '.kiro',
  '.cursor',
  '.windsurf',
  '.zed',
  '.vscode',
  '.idea',
  '.devcontainer',
  '.husky',
  '.mcp.json',
  '.envrc',
  '.direnv',
  '.pre-commit-config.yaml',
];

/**
 * Inside a git folder. `commondir`: git would take config and hooks from the folder it names; `.` names this one.
 * `info/attributes` is left out: a `.gitattributes` in the work tree says the same.
 */
const GIT: ProtectedPath[] = [
  { path: 'hooks', placeholder: EMPTY_DIR },
  { path: 'config', placeholder: EMPTY_FILE },
  { path: 'config.worktree', placeholder: EMPTY_FILE },
  { path: 'commondir', placeholder: { kind: 'file', content: '.\n' } },
  { path: 'objects/info/alternates', placeholder: EMPTY_FILE },
];

/** Inside `.git/worktrees/*`: the work tree may lie outside of the workspace, and the host's git with it. */
const WORKTREE: ProtectedPath[] = [
  { path: 'commondir', placeholder: undefined },
  { path: 'gitdir', placeholder: undefined },
  { path: 'config.worktree', placeholder: EMPTY_FILE },
];

export interface Findings {
  gitDirs: string[];
  worktreeDirs: string[];
  /** Files named `.git`, and folders of that name that are no repository yet */
  gitEntries: string[];
  /** Folders that a `.git` file names, in which no repository is yet */
  unfinished: string[];
  /** Entries with a name of `SETTINGS`, at any depth */
  settings: string[];
}

/** Everything protected in a folder. `makeUp`: also what is not there yet. */
export function protectedPaths(found: Findings, opened: string[], makeUp = true): ProtectedPath[] {
  const exists = (path: string): ProtectedPath => ({ path, placeholder: undefined });
  const all = [
    ...(makeUp ? ['.git', ...SETTINGS].map((path): ProtectedPath => ({ path, placeholder: EMPTY_DIR })) : []),
    ...[...found.gitEntries, ...found.settings].map(exists),
    ...found.unfinished.map((path): ProtectedPath => ({ path, placeholder: EMPTY_DIR })),
    ...found.gitDirs.flatMap((dir) => within(dir, GIT)),
    ...found.worktreeDirs.flatMap((dir) => within(dir, WORKTREE)),
  ];
  // A repository is written to: only its inside is protected.
  const repositories = new Set(found.gitDirs);
  // The first of two for one path counts: it may have a placeholder.
  const unique = new Map(all.toReversed().map((entry) => [entry.path, entry]));
  return [...unique.values()].filter(({ path }) => !repositories.has(path) && !isOpened(path, opened));
}

function within(dir: string, entries: ProtectedPath[]): ProtectedPath[] {
  return entries.map((entry) => ({ ...entry, path: joinBelow(dir, entry.path) }));
}

/** The name of a settings folder, or `.git`, counts at any depth. */
export function isOpened(path: string, opened: string[]): boolean {
  return opened.some((entry) => {
    const clean = entry.replace(/^\.?\//, '').replace(/\/+$/, '');
    return (
      `${path}/`.startsWith(`${clean}/`) ||
      ((clean === '.git' || SETTINGS.includes(clean)) && path.split('/').includes(clean))
    );
  });
}
