/** What a hostile guest writes so that git of the host does something for it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { contentOf, type Guest, type Host } from './host.ts';

export interface Attack {
  name: string;
  /** The rules that prevent it; without them it works */
  rules: readonly string[];
  /** Paths that the host's git config names */
  named?: string[];
  given?: (host: Host) => void;
  attack: (guest: Guest, host: Host) => void;
  /** What the host does besides the commands of all attacks */
  after?: (host: Host) => void;
  /** Besides the canary's run */
  worked?: (host: Host) => boolean;
}

const hook = ({ canary }: Host) => `#!/bin/sh\n${canary}\n`;
/** A config that makes every `git status` run a command */
const config = ({ canary }: Host, more = '') =>
  `[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = ${canary}\n${more}`;
const commit = ({ git }: Host) => void git('commit', '--allow-empty', '-m', 'next');

/** A folder that git would take for a repository. Its config is written while it is none yet. */
function bare(guest: Guest, host: Host, folder: string, more = ''): void {
  guest.write(`${folder}/config`, config(host, more));
  guest.write(`${folder}/HEAD`, 'ref: refs/heads/main\n');
  for (const name of ['objects', 'refs']) guest.write(`${folder}/${name}/x`, '');
}

function submodule({ git, gitIn, outside }: Host): void {
  gitIn('../outside', 'init', '-q', '-b', 'main');
  gitIn('../outside', 'commit', '-q', '--allow-empty', '-m', 'first');
  git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', outside, 'deep/module');
}

const NEW = ['git-new', 'git-complete', 'git-config', 'git-link'];

export const ATTACKS: Attack[] = [
  {
    name: 'a hook',
    rules: ['git-hooks'],
    attack: (guest, host) => guest.write('.git/hooks/pre-commit', hook(host), 0o755),
    after: commit,
  },
  {
    name: 'a folder that is renamed to the hooks',
    rules: ['git-hooks', 'place'],
    attack: (guest, host) => {
      guest.remove('.git/hooks');
      guest.write('evil/pre-commit', hook(host), 0o755);
      guest.rename('evil', '.git/hooks');
    },
    after: commit,
  },
  { name: 'the config', rules: ['git-config'], attack: (guest, host) => guest.append('.git/config', config(host)) },
  {
    name: 'the config by its lock file',
    rules: ['git-config'],
    attack: (guest, host) => {
      guest.write('.git/new', config(host));
      guest.rename('.git/new', '.git/config');
    },
  },
  {
    name: 'the config of a work tree',
    rules: ['git-config'],
    given: ({ git }) => void git('config', 'extensions.worktreeConfig', 'true'),
    attack: (guest, host) => guest.write('.git/config.worktree', `[core]\n\tfsmonitor = ${host.canary}\n`),
  },
  {
    name: 'another common folder',
    rules: ['git-pointer'],
    attack: (guest, host) => {
      guest.write('evil/config', config(host));
      for (const name of ['objects', 'refs']) guest.folder(`evil/${name}`);
      guest.write('.git/commondir', '../evil\n');
    },
  },
  {
    name: 'another common folder of a linked work tree',
    rules: ['git-pointer'],
    given: ({ git }) => void git('worktree', 'add', '-q', '../outside/tree'),
    attack: (guest, host) => {
      guest.write('evil/config', config(host));
      for (const name of ['objects', 'refs']) guest.folder(`evil/${name}`);
      guest.write('.git/worktrees/tree/commondir', '../../../evil\n');
    },
    after: ({ gitIn }) => void gitIn('../outside/tree', 'status'),
  },
  {
    name: 'the config of a submodule',
    rules: ['git-config'],
    given: submodule,
    attack: (guest, { canary }) => guest.append('.git/modules/deep/module/config', `[core]\n\tfsmonitor = ${canary}\n`),
  },
  {
    name: 'a nested repository behind a gitlink of the index',
    rules: NEW,
    attack: (guest, host) => {
      // The last part is the folder's name: while it is `evil`, its config is not protected.
      bare(guest, host, 'sub/evil');
      guest.write('sub/.git', 'gitdir: evil\n');
      const sha = host.git('rev-parse', 'HEAD').trim();
      // The index is data, which the guest writes with its own git.
      host.git('update-index', '--add', '--cacheinfo', `160000,${sha},sub`);
    },
  },
  {
    name: 'a folder that looks like a repository, for a prompt that runs git in it',
    rules: ['git-complete'],
    attack: (guest, host) => bare(guest, host, 'build', '\tworktree = .\n'),
    after: ({ gitIn }) => void gitIn('build', 'status'),
  },
  {
    name: 'the same by a common folder',
    rules: ['git-complete', 'git-config'],
    attack: (guest, host) => {
      guest.write('common/config', config(host, '[extensions]\n\tworktreeConfig = true\n').replace('= 0', '= 1'));
      for (const name of ['objects', 'refs']) guest.folder(`common/${name}`);
      guest.write('build/config.worktree', '[core]\n\tbare = false\n\tworktree = .\n');
      guest.write('build/commondir', '../common\n');
      guest.write('build/HEAD', 'ref: refs/heads/main\n');
    },
    after: ({ gitIn }) => void gitIn('build', 'status'),
  },
  {
    name: 'the same by links',
    rules: ['git-complete'],
    attack: (guest, host) => {
      guest.write('build/config', config(host, '\tworktree = .\n'));
      guest.link('build/HEAD', 'refs/heads/main');
      guest.link('build/objects', '../.git/objects');
      guest.link('build/refs', '../.git/refs');
    },
    after: ({ gitIn }) => void gitIn('build', 'status'),
  },
  {
    name: 'a link .git to a folder that is no repository yet',
    rules: ['git-new', 'git-complete'],
    attack: (guest, host) => {
      guest.folder('sub');
      bare(guest, host, 'evil');
      guest.link('sub/.git', '../evil');
    },
    after: ({ gitIn }) => void gitIn('sub', 'status'),
  },
  {
    name: 'a bare repository of the host that loses a part, gets a config, and is repaired on the host',
    rules: ['git-keep'],
    given: ({ gitIn, write }) => {
      write('store/x', '');
      gitIn('store', 'init', '-q', '--bare', 'r.git');
    },
    attack: (guest, host) => {
      guest.remove('store/r.git/HEAD');
      guest.append('store/r.git/config', `[core]\n\tbare = false\n\tworktree = .\n\tfsmonitor = ${host.canary}\n`);
    },
    after: ({ gitIn, write }) => {
      write('store/r.git/HEAD', 'ref: refs/heads/main\n');
      gitIn('store/r.git', 'status');
    },
  },
  {
    name: 'another folder in the .git file of a submodule',
    rules: ['git-file', 'git-complete'],
    given: submodule,
    attack: (guest, host) => {
      bare(guest, host, 'evil');
      guest.write('deep/module/.git', 'gitdir: ../../evil\n');
    },
  },
  {
    name: 'a repository that is moved to where its hooks path leads to what the guest wrote',
    rules: ['git-keep'],
    named: ['hooks'],
    given: ({ gitIn, write }) => {
      write('sub/x', '');
      gitIn('sub', 'init', '-q');
      gitIn('sub', 'config', 'core.hooksPath', '../hooks');
    },
    attack: (guest, host) => {
      guest.write('a/hooks/pre-commit', hook(host), 0o755);
      guest.rename('sub', 'a/sub');
    },
    after: ({ gitIn, path }) => {
      if (existsSync(join(path, 'a/sub'))) gitIn('a/sub', 'commit', '--allow-empty', '-m', 'next');
    },
  },
  {
    name: 'an exec line of a rebase that is under way',
    rules: ['git-sequence'],
    given: ({ git, write }) => {
      for (const text of ['one', 'two']) {
        write('f', text);
        git('add', 'f');
        git('commit', '-qm', text);
      }
      git('-c', 'sequence.editor=sed -i s/^pick/edit/', 'rebase', '-q', '-i', 'HEAD~1');
    },
    attack: (guest, { canary }) => guest.append('.git/rebase-merge/git-rebase-todo', `exec ${canary}\n`),
    after: ({ git }) => void git('rebase', '--continue'),
  },
  {
    name: 'a link that git of the host writes through',
    rules: ['git-link'],
    given: ({ gitIn, git, outside, write }) => {
      gitIn('../outside', 'init', '-q', '-b', 'main');
      gitIn('../outside', 'commit', '-q', '--allow-empty', '-m', 'first');
      git('remote', 'add', 'origin', outside);
      write('../outside/profile', 'mine\n');
    },
    attack: (guest) => {
      guest.remove('.git/FETCH_HEAD');
      guest.link('.git/FETCH_HEAD', '../../outside/profile');
    },
    after: ({ git }) => void git('fetch', '-q'),
    worked: ({ outside }) => contentOf(join(outside, 'profile')) !== 'mine\n',
  },
  {
    name: 'objects of another repository',
    rules: ['git-alternates'],
    given: ({ gitIn }) => {
      gitIn('../outside', 'init', '-q', '-b', 'main');
      gitIn('../outside', 'commit', '-q', '--allow-empty', '-m', 'of another project');
    },
    attack: (guest, { outside }) => guest.write('.git/objects/info/alternates', `${join(outside, '.git/objects')}\n`),
    worked: ({ git, gitIn }) =>
      git('cat-file', '-p', gitIn('../outside', 'rev-parse', 'HEAD').trim()).includes('another project'),
  },
  {
    name: 'another address for a remote',
    rules: ['git-remotes'],
    given: ({ gitIn }) => {
      gitIn('../outside', 'init', '-q', '-b', 'main');
      gitIn('../outside', 'commit', '-q', '--allow-empty', '-m', 'first');
    },
    attack: (guest, { outside }) => guest.write('.git/remotes/origin', `URL: ${outside}\n`),
    worked: ({ git }) => git('ls-remote', 'origin').includes('refs/heads/main'),
  },
  {
    name: 'a hook in the folder that core.hooksPath names',
    rules: ['git-named'],
    named: ['tools/hooks'],
    given: ({ git }) => void git('config', 'core.hooksPath', 'tools/hooks'),
    attack: (guest, host) => guest.write('tools/hooks/pre-commit', hook(host), 0o755),
    after: commit,
  },
  {
    name: 'a link on the way to the folder that core.hooksPath names',
    rules: ['git-named'],
    named: ['tools/hooks'],
    given: ({ git }) => void git('config', 'core.hooksPath', 'tools/hooks'),
    attack: (guest, host) => {
      guest.write('evil/hooks/pre-commit', hook(host), 0o755);
      guest.link('tools', 'evil');
    },
    after: commit,
  },
];
