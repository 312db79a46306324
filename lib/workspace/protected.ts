/** Paths of a workspace that programs on the host run or obey without asking: the guest may read them, never write them. */

export interface ProtectedPath {
  /** Below the workspace */
  path: string;
  kind: 'dir' | 'file';
  /** What stands there while the VM runs, where nothing is; undefined: such a path is not made up */
  placeholder: { kind: 'dir' } | { kind: 'file'; content: string } | undefined;
}

const EMPTY_DIR = { kind: 'dir' } as const;
const EMPTY_FILE = { kind: 'file', content: '' } as const;

/** Folders whose whole content is settings of agents and editors. */
const SETTINGS_DIRS = ['.claude', '.codex', '.gemini', '.vscode'];

const SETTINGS_FILES = ['sandbox.toml', '.mcp.json', '.envrc'];

/** Protected where they exist; nothing is put in their place where they do not, so that few placeholders stand in a workspace. */
const IF_PRESENT = [
  '.copilot',
  '.opencode',
  '.qwen',
  '.kiro',
  '.cursor',
  '.idea',
  '.husky',
  '.devcontainer',
  '.npmrc',
  '.pre-commit-config.yaml',
];

/** Inside a git folder. `commondir`: git would take config and hooks from the folder it names; `.` names this one. */
const GIT: ProtectedPath[] = [
  { path: 'hooks', kind: 'dir', placeholder: EMPTY_DIR },
  { path: 'config', kind: 'file', placeholder: EMPTY_FILE },
  { path: 'config.worktree', kind: 'file', placeholder: EMPTY_FILE },
  { path: 'commondir', kind: 'file', placeholder: { kind: 'file', content: '.\n' } },
  { path: 'info', kind: 'dir', placeholder: EMPTY_DIR },
  { path: 'modules', kind: 'dir', placeholder: EMPTY_DIR },
  { path: 'worktrees', kind: 'dir', placeholder: EMPTY_DIR },
];

/** Everything protected, for a workspace whose git folders are `gitDirs` (paths below it). `opened`: entries that the user opened again. */
export function protectedPaths(gitDirs: string[], opened: string[]): ProtectedPath[] {
  const inGit = gitDirs.flatMap((dir) => GIT.map((entry) => ({ ...entry, path: `${dir}/${entry.path}` })));
  const rootGit: ProtectedPath[] = gitDirs.includes('.git')
    ? []
    : [{ path: '.git', kind: 'dir', placeholder: EMPTY_DIR }];
  const all = [
    ...rootGit,
    ...inGit,
    ...SETTINGS_DIRS.map((path): ProtectedPath => ({ path, kind: 'dir', placeholder: EMPTY_DIR })),
    ...SETTINGS_FILES.map((path): ProtectedPath => ({ path, kind: 'file', placeholder: EMPTY_FILE })),
    ...IF_PRESENT.map((path): ProtectedPath => ({ path, kind: 'dir', placeholder: undefined })),
  ];
  return all.filter(({ path }) => !opened.some((entry) => path === entry || path.startsWith(`${entry}/`)));
}
