/** What a hostile guest would try on a workspace, each with what is left of it on the host when it has worked. */
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkspaceRequest } from '../../../../lib/workspace/prepare.ts';
import { SETTINGS } from '../../../../lib/workspace/protect/protected.ts';
import type { Workspace } from './jail.ts';

export interface Attack {
  name: string;
  /** On the host, before the VM starts */
  given: (workspace: Workspace) => void;
  wishes?: Partial<WorkspaceRequest>;
  script: string;
  worked: (workspace: Workspace, output: string) => boolean;
}

export function repository(workspace: Workspace): void {
  workspace.git('init', '-q');
  workspace.write({ 'src/a.ts': 'a' });
  workspace.git('add', '.');
  workspace.git('commit', '-qm', 'first');
}

const noRepository = () => {};
const evilIn =
  (path: string) =>
  ({ read }: Workspace) =>
    read(path)?.includes('evil') === true;
const isThere = (path: string) => (workspace: Workspace) => existsSync(join(workspace.path, path));

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
  onGit('hooks moved', 'mv .git/hooks .git/old', isThere('.git/old')),
  onGit('hooks by a link', 'mkdir e; mv .git/hooks .git/h; ln -s ../e .git/hooks', isThere('.git/h')),
  onGit('the config', 'git config core.fsmonitor evil', evilIn('.git/config')),
  onGit('the config, appended to', 'echo "# evil" >> .git/config', evilIn('.git/config')),
  onGit('the config, replaced', 'echo evil > .git/n; mv -f .git/n .git/config', evilIn('.git/config')),
  onGit('the config by a hard link', 'ln .git/config c; echo evil >> c', evilIn('.git/config')),
  onGit('the config by chmod', 'chmod 777 .git/config; echo evil > .git/config', evilIn('.git/config')),
  onGit('the config of a work tree', 'echo evil > .git/config.worktree', evilIn('.git/config.worktree')),
  onGit('another common folder', 'cp -r .git evil; echo ../evil > .git/commondir', evilIn('.git/commondir')),
  onGit('other objects', 'echo /evil > .git/objects/info/alternates', evilIn('.git/objects/info/alternates')),
  onGit('objects moved', 'mv .git/objects .git/o', isThere('.git/o')),
  onGit('the git folder moved aside', 'mv .git x; git init -q', isThere('x')),
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
      evilIn('libs/deep/.git/config')(workspace) || isThere('libs/x')(workspace) || isThere('y')(workspace),
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
    script: 'echo evil > team/hooks/pre-commit; mv team t',
    worked: (workspace) => evilIn('team/hooks/pre-commit')(workspace) || isThere('t')(workspace),
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

const SETTINGS_ATTACKS = SETTINGS.flatMap((name): Attack[] => [
  {
    name: `${name} where none was`,
    given: noRepository,
    script: `echo evil > ${name}; mkdir ${name}; echo evil > ${name}/settings.json; mv ${name} x; ln -s src ${name}`,
    worked: (workspace) =>
      evilIn(name)(workspace) || evilIn(`${name}/settings.json`)(workspace) || isThere('x')(workspace),
  },
  {
    name: `${name} that is a folder`,
    given: ({ write }) => write({ [`${name}/settings.json`]: '{}' }),
    script: `echo evil > ${name}/settings.json; echo evil > ${name}/more; mv ${name} x; mkdir ${name}`,
    worked: (workspace) =>
      evilIn(`${name}/settings.json`)(workspace) || evilIn(`${name}/more`)(workspace) || isThere('x')(workspace),
  },
  {
    name: `${name} that is a file`,
    given: ({ write }) => write({ [name]: '{}' }),
    script: `echo evil > ${name}; echo evil > n; mv -f n ${name}; rm -f ${name}`,
    worked: (workspace) => evilIn(name)(workspace) || !isThere(name)(workspace),
  },
]);

const OTHER_ATTACKS: Attack[] = [
  {
    name: 'settings in a folder further down',
    given: ({ write }) => write({ 'packages/a/.vscode/tasks.json': '{}' }),
    script: 'echo evil > packages/a/.vscode/tasks.json; mv packages/a packages/b',
    worked: (workspace) => evilIn('packages/a/.vscode/tasks.json')(workspace) || isThere('packages/b')(workspace),
  },
  {
    name: 'a template of sandbox.toml',
    given: ({ write }) => write({ 'team/node.toml': '' }),
    script: 'echo evil > team/node.toml; mv team t',
    worked: (workspace) => evilIn('team/node.toml')(workspace) || isThere('t')(workspace),
  },
  {
    name: 'a read-only path, there or not',
    given: ({ write }) => write({ 'docs/a.md': 'a' }),
    wishes: { readonly: ['docs', 'deploy/keys', 'db/*.sql'] },
    script: 'echo evil > docs/a.md; mkdir -p deploy/keys; echo evil > deploy/keys/a; mv docs d',
    worked: (workspace) =>
      evilIn('docs/a.md')(workspace) || evilIn('deploy/keys/a')(workspace) || isThere('d')(workspace),
  },
];

function reading(name: string, hide: string[], files: Record<string, string>, script: string): Attack {
  return {
    name,
    given: ({ write }) => write(files),
    wishes: { hide },
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
    ['*.pem', 'keys/**/id_*'],
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
