/** What git on the host obeys inside of a git folder, and what is left open on purpose. Paths are relative to the git folder. */

interface GitRow {
  /** Each with everything below it. `*` at the end: any rest of the name. With git's lock file of the same name, which git renames to it */
  paths: readonly string[];
  reason: string;
}

export const GIT_ROWS: Readonly<Record<string, GitRow>> = {
  'git-hooks': { paths: ['hooks'], reason: 'git runs its programs' },
  'git-config': { paths: ['config', 'config.worktree'], reason: 'git runs commands that it names' },
  'git-pointer': {
    paths: ['commondir', 'gitdir'],
    reason: 'git takes config and hooks from the folder that it names',
  },
  'git-alternates': {
    paths: ['objects/info/alternates'],
    reason: "git reads objects from the folders that it names, so another repository's content would get into this one",
  },
  'git-sequence': {
    paths: ['rebase-merge', 'rebase-apply', 'sequencer'],
    reason: '`git rebase --continue` runs its `exec` lines and its merge strategy',
  },
  'git-bisect': { paths: ['BISECT_*'], reason: 'git before 2.40 gives its content to the shell' },
  'git-remotes': {
    paths: ['remotes', 'branches'],
    reason: 'git fetches from and pushes to the addresses that it names',
  },
  'git-safe': { paths: ['safe'], reason: 'a common PATH entry (`.git/safe/../../bin`) becomes valid when it exists' },
};

/** What makes git take a folder for a repository. Git itself accepts files and links as well. */
export const GIT_PARTS = ['HEAD', 'objects', 'refs'] as const;

/** Rules of git folders that are no plain path: see git-place.ts and walk.ts. */
export const GIT_RULES = {
  'git-new': 'a repository that is made inside belongs to this sandbox: no git of the host meets it',
  'git-complete': 'with it git would take the folder for a repository, and its config and hooks with it',
  'git-file': 'git takes config and hooks from the folder that it names',
  'git-keep': 'without it the folder is no repository, and its config and hooks would lose their protection',
  'git-link': 'git would follow it out of what is protected, and never makes one itself',
  'git-named': "the host's git config, or a link under a protected name, leads to it",
} as const;

/** Written by every commit, fetch and merge; the reason why nothing of the host runs by them. For the documentation. */
export const GIT_LEFT_OPEN: readonly { paths: readonly string[]; reason: string }[] = [
  {
    paths: ['objects', 'refs', 'logs', 'packed-refs', 'HEAD'],
    reason: 'data: commits made inside are seen on the host',
  },
  {
    paths: ['index', 'index.lock', 'sharedindex.*'],
    reason: 'data; an entry for a nested repository runs nothing, since no such repository can be made on the host',
  },
  { paths: ['info/attributes'], reason: '.gitattributes in the tree says the same; commands are in the config' },
  { paths: ['info/exclude', 'info/sparse-checkout'], reason: 'they choose files, no commands' },
  { paths: ['info/grafts', 'shallow'], reason: 'they change the history that is shown, and run nothing' },
  {
    paths: ['MERGE_*', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'COMMIT_EDITMSG', 'rr-cache'],
    reason: 'data of the next commit',
  },
];
