/** Real git on a folder whose guest writes, through the server, what git of the host reads or runs by way of its own configuration. */
import { existsSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Host, makeHost } from '../policy/host.ts';
import { Attacker, serveFolder } from './guest.ts';

interface Attack {
  name: string;
  /** Without them it works */
  rules: readonly string[];
  given: (host: Host) => void;
  attack: (guest: Attacker, host: Host) => Promise<void>;
  after?: (host: Host) => void;
}

const script = ({ canary }: Host) => `#!/bin/sh\n${canary}\n`;
const monitor = ({ canary }: Host) => `[core]\n\tfsmonitor = ${canary}\n`;
const commit = ({ git }: Host) => void git('commit', '--allow-empty', '-m', 'next');
const hardLink = ({ path }: Host, from: string, to: string) => linkSync(join(path, from), join(path, to));

function softLink({ path }: Host, at: string, target: string): void {
  mkdirSync(dirname(join(path, at)), { recursive: true });
  symlinkSync(target, join(path, at));
}

function submodule({ git, gitIn, outside }: Host): void {
  gitIn('../outside', 'init', '-q', '-b', 'main');
  gitIn('../outside', 'commit', '-q', '--allow-empty', '-m', 'first');
  git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', outside, 'deep/module');
}

const ATTACKS: Attack[] = [
  {
    name: 'a hook in the folder of core.hooksPath',
    rules: ['git-named'],
    given: ({ git }) => void git('config', 'core.hooksPath', 'tools/hooks'),
    attack: (guest, host) => guest.write('tools/hooks/pre-commit', script(host), 0o755),
    after: commit,
  },
  {
    name: 'a hook in the folder of core.hooksPath that an included file of the workspace names',
    rules: ['git-named'],
    given: ({ git, write }) => {
      git('config', 'include.path', '../team.gitconfig');
      write('team.gitconfig', '[core]\n\thooksPath = tools/hooks\n');
    },
    attack: (guest, host) => guest.write('tools/hooks/pre-commit', script(host), 0o755),
    after: commit,
  },
  {
    name: 'an included file',
    rules: ['git-named'],
    given: ({ git, write }) => {
      git('config', 'include.path', '../team.gitconfig');
      write('team.gitconfig', '');
    },
    attack: (guest, host) => guest.write('team.gitconfig', monitor(host)),
  },
  {
    name: 'an included file that does not exist yet',
    rules: ['git-named'],
    given: ({ git }) => void git('config', 'include.path', '../team.gitconfig'),
    attack: (guest, host) => guest.write('team.gitconfig', monitor(host)),
  },
  {
    name: 'the program of core.fsmonitor',
    rules: ['git-named'],
    given: ({ git, path, write }) => {
      write('tools/watch', '#!/bin/sh\n', 0o755);
      git('config', 'core.fsmonitor', join(path, 'tools/watch'));
    },
    attack: (guest, host) => guest.write('tools/watch', script(host), 0o755),
  },
  {
    name: 'the target of a link among the hooks',
    rules: ['git-named'],
    given: (host) => {
      host.write('scripts/check', '#!/bin/sh\n', 0o755);
      softLink(host, '.git/hooks/pre-commit', '../../scripts/check');
    },
    attack: (guest, host) => guest.write('scripts/check', script(host), 0o755),
    after: commit,
  },
  {
    name: 'the target of a link among hooks that core.hooksPath names',
    rules: ['git-named'],
    given: (host) => {
      host.write('scripts/check', '#!/bin/sh\n', 0o755);
      softLink(host, 'team/hooks/pre-commit', '../../scripts/check');
      host.git('config', 'core.hooksPath', 'team/hooks');
    },
    attack: (guest, host) => guest.write('scripts/check', script(host), 0o755),
    after: commit,
  },
  {
    name: 'the config of the folder that a `.git` file names, which lost its HEAD',
    rules: ['git-config'],
    given: (host) => {
      host.write('work/x', '');
      host.gitIn('work', 'init', '-q', '--separate-git-dir', '../store');
    },
    attack: (guest, host) => guest.append('store/config', monitor(host)),
    after: ({ gitIn }) => void gitIn('work', 'status'),
  },
  {
    name: 'a hook of a linked work tree',
    rules: ['git-hooks'],
    given: ({ git }) => void git('worktree', 'add', '-q', 'side'),
    attack: (guest, host) => guest.write('.git/hooks/pre-commit', script(host), 0o755),
    after: ({ gitIn }) => void gitIn('side', 'commit', '--allow-empty', '-m', 'next'),
  },
  {
    name: 'the folder that the `.git` file of a submodule names',
    rules: ['git-file', 'git-complete'],
    given: submodule,
    attack: async (guest, host) => {
      await guest.write('evil/config', `${monitor(host)}\tworktree = ../deep/module\n\trepositoryformatversion = 0\n`);
      await guest.write('evil/HEAD', 'ref: refs/heads/main\n');
      for (const name of ['objects', 'refs']) await guest.folder(`evil/${name}`);
      await guest.write('deep/module/.git', 'gitdir: ../../evil\n');
    },
  },
  {
    name: 'a nested repository with a config behind a gitlink',
    rules: ['git-new', 'git-complete', 'git-config'],
    given: () => {},
    attack: async (guest, host) => {
      await guest.write('sub/.git/config', `${monitor(host)}\trepositoryformatversion = 0\n`);
      await guest.write('sub/.git/HEAD', 'ref: refs/heads/main\n');
      for (const name of ['objects', 'refs']) await guest.folder(`sub/.git/${name}`);
      host.git('update-index', '--add', '--cacheinfo', `160000,${host.git('rev-parse', 'HEAD').trim()},sub`);
    },
  },
  {
    name: 'a folder that looks like a repository',
    rules: ['git-complete'],
    given: () => {},
    attack: async (guest, host) => {
      await guest.write(
        'build/config',
        `${monitor(host)}\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n`,
      );
      await guest.write('build/HEAD', 'ref: refs/heads/main\n');
      for (const name of ['objects', 'refs']) await guest.folder(`build/${name}`);
    },
    after: ({ gitIn }) => void gitIn('build', 'status'),
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
    name: 'the config by a hard link that the host made before',
    rules: ['git-config'],
    given: (host) => hardLink(host, '.git/config', 'copy'),
    attack: (guest, host) => guest.append('copy', monitor(host)),
  },
  {
    name: 'a hook by a hard link that the host made before',
    rules: ['git-hooks'],
    given: (host) => {
      host.write('.git/hooks/pre-commit', '#!/bin/sh\n', 0o755);
      hardLink(host, '.git/hooks/pre-commit', 'src/check');
    },
    attack: (guest, host) => guest.write('src/check', script(host), 0o755),
    after: commit,
  },
];

async function works({ given, attack, after }: Attack, without: readonly string[]): Promise<boolean> {
  using host = makeHost();
  host.git('init', '-q', '-b', 'main');
  host.write('src/a.ts', 'a');
  host.git('add', '-A');
  host.git('commit', '-q', '-m', 'first');
  given(host);
  await using served = await serveFolder(host.path, { without });
  await attack(new Attacker(served), host);
  after?.(host);
  host.write('src/a.ts', 'b');
  for (const args of [['status'], ['diff'], ['add', '-A'], ['stash', '-u']]) host.git(...args);
  expect(existsSync(join(host.path, 'src/a.ts'))).toBe(true);
  return host.hasRun();
}

describe('git of the host runs nothing that a guest wrote', () => {
  test.each(ATTACKS)('$name', async (attack) => {
    expect(await works(attack, [])).toBe(false);
  });
});

describe('without the rule it does', () => {
  test.each(ATTACKS)('$name', async (attack) => {
    expect(await works(attack, attack.rules)).toBe(true);
  });
});

describe('a hard link of a hidden file', () => {
  const env = (rules: string[]) => ({ hide: rules.map((text) => ({ text, source: 'default' as const })) });

  test.each([
    ['made before the start', true],
    ['made while the guest runs, far from what it uses', false],
  ])('%s cannot be read; without the rule it can', async (_, isBefore) => {
    for (const hide of [['.env'], []]) {
      using host = makeHost();
      const make = () => {
        host.write('deep/er/.env', 'secret');
        hardLink(host, 'deep/er/.env', 'copy');
      };
      if (isBefore) make();
      await using served = await serveFolder(host.path, env(hide));
      const guest = new Attacker(served);
      expect(await guest.read('none')).toBeUndefined();
      if (!isBefore) make();
      expect(await guest.read('copy')).toBe(hide.length === 0 ? 'secret' : undefined);
    }
  });

  test('one that the guest makes of a plain file is read at once, and after the host made it a hidden one, no more', async () => {
    using host = makeHost();
    host.write('plain', 'text');
    await using served = await serveFolder(host.path, env(['.env']));
    const { rig } = served;
    const { node } = await rig.lookup(1, 'plain');
    await rig.link(node, 1, 'second');
    const guest = new Attacker(served);
    expect(await guest.read('second')).toBe('text');
    hardLink(host, 'plain', '.env');
    expect(await guest.read('second')).toBeUndefined();
  });
});
