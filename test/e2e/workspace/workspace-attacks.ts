/** What a hostile guest would try on a workspace, each with what is left of it on the host when it has worked. */
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS_ROWS } from '../../../lib/workspace/policy/protected/settings-rows.ts';
import type { CaseFolder } from '../case-folder.ts';

export interface Attack {
  name: string;
  /** On the host, before the VM starts */
  given: (workspace: CaseFolder) => void;
  /** Of `[workspace]`, where `@` stands for the case's own folder below the workspace. Absent: the case is a mount */
  rules?: { hide?: string[]; readonly?: string[] };
  script: string;
  worked: (workspace: CaseFolder, output: string) => boolean;
}

function repository(workspace: CaseFolder): void {
  workspace.git('init', '-q');
  workspace.write({ 'src/a.ts': 'a' });
  workspace.git('add', '.');
  workspace.git('commit', '-qm', 'first');
}

const noRepository = () => {};
const evilIn =
  (path: string) =>
  ({ read }: CaseFolder) =>
    read(path)?.includes('evil') === true;
const isGone = (path: string) => (workspace: CaseFolder) => !existsSync(join(workspace.path, path));
const isLink = (path: string) => (workspace: CaseFolder) =>
  lstatSync(join(workspace.path, path), { throwIfNoEntry: false })?.isSymbolicLink() === true;
/** What the host's git takes for one */
const isRepository = (path: string) => (workspace: CaseFolder) =>
  ['HEAD', 'objects', 'refs'].every((part) => existsSync(join(workspace.path, path, part)));
const isThere = (path: string) => (workspace: CaseFolder) => existsSync(join(workspace.path, path));

function onGit(name: string, script: string, worked: Attack['worked']): Attack {
  return { name, given: repository, script, worked };
}

const GIT_ATTACKS: Attack[] = [
  onGit('a hook', 'echo evil > .git/hooks/post-checkout', evilIn('.git/hooks/post-checkout')),
  onGit(
    'hooks made again',
    'rm -rf .git/hooks; mkdir .git/hooks; echo evil > .git/hooks/pre-push',
    evilIn('.git/hooks/pre-push'),
  ),
  onGit('hooks moved', 'mv .git/hooks .git/old', isGone('.git/hooks')),
  onGit('hooks by a link', 'mkdir e; mv .git/hooks .git/h; ln -s ../e .git/hooks', isLink('.git/hooks')),
  onGit('the config', 'git config core.fsmonitor evil', evilIn('.git/config')),
  onGit('the config, appended to', 'echo "# evil" >> .git/config', evilIn('.git/config')),
  onGit('the config, replaced', 'echo evil > .git/n; mv -f .git/n .git/config', evilIn('.git/config')),
  onGit('the config by a hard link', 'ln .git/config c; echo evil >> c', evilIn('.git/config')),
  onGit('the config by chmod', 'chmod 777 .git/config; echo evil > .git/config', evilIn('.git/config')),
  onGit('the config of a work tree', 'echo evil > .git/config.worktree', evilIn('.git/config.worktree')),
  onGit('another common folder', 'cp -r .git evil; echo ../evil > .git/commondir', evilIn('.git/commondir')),
  onGit('other objects', 'echo /evil > .git/objects/info/alternates', evilIn('.git/objects/info/alternates')),
  onGit('objects moved', 'mv .git/objects .git/o', isGone('.git/objects')),
  onGit('the git folder moved aside', 'mv .git x; git init -q', isRepository('x')),
  onGit('the git folder removed', 'rm -rf .git', (workspace) => !isThere('.git/config')(workspace)),
  onGit('the git folder made a file', 'mv .git x; echo "gitdir: evil" > .git', ({ path }) =>
    lstatSync(join(path, '.git')).isFile(),
  ),
  onGit(
    'a mount of its own',
    'unshare -Ur sh -c "umount .git/config; echo evil > .git/config"; umount .git/config; echo evil > .git/config',
    evilIn('.git/config'),
  ),
  { name: 'a repository where none was', given: noRepository, script: 'git init', worked: isThere('.git/config') },
  {
    name: 'a git file where none was',
    given: noRepository,
    script: 'echo "gitdir: evil" > .git',
    worked: evilIn('.git'),
  },
  {
    name: 'a submodule',
    given: (workspace) => {
      repository(workspace);
      workspace.write({ '.git/modules/lib/core/HEAD': 'ref: refs/heads/main\n', '.git/modules/lib/core/config': '' });
    },
    script:
      'mkdir .git/modules/lib/core/hooks; echo evil > .git/modules/lib/core/hooks/a; echo evil > .git/modules/lib/core/config',
    worked: (workspace) =>
      evilIn('.git/modules/lib/core/hooks/a')(workspace) || evilIn('.git/modules/lib/core/config')(workspace),
  },
  {
    name: 'a linked work tree',
    given: (workspace) => {
      repository(workspace);
      workspace.git('worktree', 'add', '-q', '../tree');
    },
    script: 'cp -r .git evil; echo ../../../evil > .git/worktrees/tree/commondir',
    worked: evilIn('.git/worktrees/tree/commondir'),
  },
  {
    name: 'a nested repository',
    given: (workspace) => {
      workspace.write({ 'libs/deep/a': '' });
      workspace.git('init', '-q', 'libs/deep');
    },
    script: 'echo evil >> libs/deep/.git/config; mv libs/deep libs/x; mv libs y',
    worked: (workspace) =>
      evilIn('libs/deep/.git/config')(workspace) ||
      ['libs/x/.git', 'y/deep/.git'].some((path) => isThere(path)(workspace)) ||
      !isThere('libs/deep/.git/HEAD')(workspace),
  },
  {
    name: 'a git folder of another name',
    given: (workspace) => {
      workspace.git('init', '-q', '--separate-git-dir', join(workspace.path, '.bare'));
      workspace.write({ '.git': 'gitdir: ./.bare\n' });
    },
    script: 'echo evil >> .bare/config; echo evil > .git',
    worked: (workspace) => evilIn('.bare/config')(workspace) || evilIn('.git')(workspace),
  },
  {
    name: 'a git folder that only a file names yet',
    given: ({ write }) => write({ '.git': 'gitdir: later/git\n' }),
    script: 'mkdir -p later; cd later; git init -q --bare git',
    worked: isThere('later/git/config'),
  },
  {
    name: 'hooks of a shared folder',
    given: (workspace) => {
      repository(workspace);
      workspace.write({ 'team/hooks/pre-commit': '' });
      workspace.git('config', 'core.hooksPath', 'team/hooks');
    },
    script: 'echo evil > team/hooks/pre-commit; mv team t; mkdir -p team/hooks; echo evil > team/hooks/pre-commit',
    worked: (workspace) => evilIn('team/hooks/pre-commit')(workspace) || !isThere('team/hooks/pre-commit')(workspace),
  },
  {
    name: 'an included config, and one that is not there yet',
    given: (workspace) => {
      repository(workspace);
      workspace.write({ '.gitconfig': '' });
      workspace.git('config', '--add', 'include.path', '../.gitconfig');
      workspace.git('config', '--add', 'include.path', '../.gitconfig.local');
    },
    script: 'echo "# evil" >> .gitconfig; echo "# evil" >> .gitconfig.local',
    worked: (workspace) => evilIn('.gitconfig')(workspace) || evilIn('.gitconfig.local')(workspace),
  },
  {
    name: 'a filter that the config runs',
    given: (workspace) => {
      repository(workspace);
      workspace.write({ 'tools/clean.sh': 'cat' });
      workspace.git('config', 'filter.x.clean', 'sh ./tools/clean.sh %f');
    },
    script: 'echo evil > tools/clean.sh',
    worked: evilIn('tools/clean.sh'),
  },
];

const SETTINGS_ATTACKS = Object.values(SETTINGS_ROWS)
  .flatMap(({ names }) => names)
  .flatMap((name): Attack[] => [
    {
      name: `${name} where none was`,
      rules: {},
      given: noRepository,
      script: `echo evil > ${name}; mkdir ${name}; echo evil > ${name}/settings.json; mv ${name} x; ln -s src ${name}`,
      worked: ({ path }) => lstatSync(join(path, name), { throwIfNoEntry: false }) !== undefined,
    },
    {
      name: `${name} that is a folder`,
      rules: {},
      given: ({ write }) => write({ [`${name}/settings.json`]: '{}' }),
      script: `echo evil > ${name}/settings.json; echo evil > ${name}/more; mv ${name} x; mkdir ${name}`,
      worked: (workspace) =>
        evilIn(`${name}/settings.json`)(workspace) ||
        isThere(`${name}/more`)(workspace) ||
        isGone(`${name}/settings.json`)(workspace),
    },
    {
      name: `${name} that is a file`,
      rules: {},
      given: ({ write }) => write({ [name]: '{}' }),
      script: `echo evil > ${name}; echo evil > n; mv -f n ${name}; rm -f ${name}`,
      worked: (workspace) => evilIn(name)(workspace) || !isThere(name)(workspace),
    },
  ]);

const OTHER_ATTACKS: Attack[] = [
  {
    name: 'settings in a folder further down',
    rules: {},
    given: ({ write }) => write({ 'packages/a/.vscode/tasks.json': '{}' }),
    script:
      'echo evil > packages/a/.vscode/tasks.json; mv packages/a packages/b; echo evil > packages/b/.vscode/tasks.json',
    worked: (workspace) =>
      evilIn('packages/a/.vscode/tasks.json')(workspace) || evilIn('packages/b/.vscode/tasks.json')(workspace),
  },
  {
    name: 'a read-only path, there or not',
    given: ({ write }) => write({ 'docs/a.md': 'a' }),
    rules: { readonly: ['@/docs', '@/deploy/keys', '@/db'] },
    script: 'echo evil > docs/a.md; mkdir -p deploy/keys; echo evil > deploy/keys/a; mv docs d',
    worked: (workspace) =>
      evilIn('docs/a.md')(workspace) || evilIn('deploy/keys/a')(workspace) || isThere('d')(workspace),
  },
];

function reading(name: string, hide: string[], files: Record<string, string>, script: string): Attack {
  return {
    name,
    given: ({ write }) => write(files),
    rules: { hide },
    script,
    worked: (_, output) => output.includes('evil-secret'),
  };
}

const READING_ATTACKS: Attack[] = [
  reading(
    'a hidden file',
    ['.env'],
    { '.env': 'evil-secret' },
    'cat .env; cp .env x; cat x; mv .env y; cat y; ln .env z; cat z',
  ),
  reading(
    'a hidden file further down',
    ['.env'],
    { 'a/b/.env': 'evil-secret' },
    'cat a/b/.env; mv a/b a/c; cat a/c/.env; mv a d; cat d/*/.env',
  ),
  reading(
    'a hidden folder',
    ['secrets/'],
    { 'a/secrets/key': 'evil-secret' },
    'cat a/secrets/key; mv a b; cat b/secrets/key',
  ),
  reading(
    'a hidden file by a pattern',
    ['*.pem', '@/keys/**/id_*'],
    { 'a/x.pem': 'evil-secret', 'keys/b/c/id_x': 'evil-secret' },
    'cat a/x.pem keys/b/c/id_x',
  ),
  reading(
    'a hidden file among packages',
    ['.env'],
    { 'node_modules/a/.env': 'evil-secret' },
    'cat node_modules/a/.env',
  ),
];

export const ATTACKS: Attack[] = [...GIT_ATTACKS, ...SETTINGS_ATTACKS, ...OTHER_ATTACKS, ...READING_ATTACKS];
