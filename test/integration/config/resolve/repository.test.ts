/** Real worktrees of real git, and pointers that a sandbox or a stranger's project has made. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HostFacts } from '../../../../lib/config/resolve/host-facts.ts';
import { repositoryOf } from '../../../../lib/config/resolve/repository.ts';
import { ownProgram } from '../../workspace/own-process.ts';

let base: string;
let work: string;
let host: HostFacts;

const git = (dir: string, ...args: string[]) =>
  execFileSync('git', ['-C', dir, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
const at = (path: string) => join(base, path);

function repository(name: string): void {
  git(base, 'init', '-q', '-b', 'main', at(name));
  git(at(name), 'commit', '-q', '--allow-empty', '-m', 'first');
}

function makeSubmodule(): void {
  for (const name of ['lib', 'inner']) repository(name);
  git(at('shop'), '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', at('lib'), 'libs/x');
}

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-repository-')));
  work = at('work');
  host = { home: at('home'), stateDir: at('state') } as HostFacts;
  for (const name of ['home', 'state']) mkdirSync(at(name));
  repository('shop');
  git(at('shop'), 'worktree', 'add', '-q', work);
});
afterEach(() => rmSync(base, { recursive: true }));

const point = (text: string) => writeFileSync(join(work, '.git'), text);
/** Where the host's git goes from the project */
const taken = () => git(work, 'rev-parse', '--path-format=absolute', '--git-common-dir');

describe('found', () => {
  test('the repository of a worktree', async () => {
    expect(await repositoryOf(work, host)).toEqual({ folder: at('shop/.git') });
  });

  test('a bare repository with worktrees', async () => {
    git(base, 'clone', '-q', '--bare', at('shop'), at('shop.git'));
    git(at('shop.git'), 'worktree', 'add', '-q', at('other'));
    expect(await repositoryOf(at('other'), host)).toEqual({ folder: at('shop.git') });
  });

  test('the repository and the work tree of a subfolder', async () => {
    mkdirSync(at('shop/packages/web'), { recursive: true });
    expect(await repositoryOf(at('shop/packages/web'), host)).toEqual({ folder: at('shop/.git'), top: at('shop') });
  });

  test('both of a subfolder of a worktree', async () => {
    mkdirSync(at('work/web'));
    expect(await repositoryOf(at('work/web'), host)).toEqual({ folder: at('shop/.git'), top: work });
  });

  test('the git folder of a submodule, of one in it, and of a subfolder of it', async () => {
    makeSubmodule();
    expect(await repositoryOf(at('shop/libs/x'), host)).toEqual({ folder: at('shop/.git/modules/libs/x') });
    mkdirSync(at('shop/libs/x/part'));
    const top = at('shop/libs/x');
    expect(await repositoryOf(join(top, 'part'), host)).toEqual({ folder: at('shop/.git/modules/libs/x'), top });
    git(top, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', at('inner'), 'y');
    expect(await repositoryOf(join(top, 'y'), host)).toEqual({ folder: at('shop/.git/modules/libs/x/modules/y') });
  });

  test('none where the repository is in the project, or the project has none', async () => {
    expect(await repositoryOf(at('shop'), host)).toBeUndefined();
    expect(await repositoryOf(at('home'), host)).toBeUndefined();
  });
});

describe('not granted, as git does not go there:', () => {
  beforeEach(() => mkdirSync(at('shop/packages/web'), { recursive: true }));

  test('the repository of another user around the project', async () => {
    const { uid } = statSync(base);
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue(uid + 1);
    expect(await repositoryOf(at('shop/packages/web'), host)).toBeUndefined();
    getuid.mockRestore();
    expect(await repositoryOf(at('shop/packages/web'), host)).toEqual({ folder: at('shop/.git'), top: at('shop') });
  });

  test('the repository on another file system', async () => {
    using program = await ownProgram(
      fileURLToPath(import.meta.resolve('../../../../lib/config/resolve/repository.ts')),
    );
    const [node = '', bundle] = program.argv;
    const code = `const { repositoryOf } = await import(process.argv[1]);
      console.log(JSON.stringify(await repositoryOf(process.argv[2], JSON.parse(process.argv[3])) ?? null));`;
    const asked = [node, '--input-type=module', '-e', code, bundle, at('shop/packages/web'), JSON.stringify(host)];
    const found = (before: string) =>
      JSON.parse(
        execFileSync(
          'unshare',
          ['-rm', 'sh', '-ec', `${before}; exec "$@"`, at('shop/packages'), ...asked] as string[],
          {
            encoding: 'utf8',
          },
        ),
      );
    expect(found(':')).toEqual({ folder: at('shop/.git'), top: at('shop') });
    expect(found('mount -t tmpfs none "$0"; mkdir "$0/web"')).toBeNull();
  });
});

describe('not granted, although git follows it:', () => {
  test('a pointer to the worktree of another repository', async () => {
    repository('victim');
    git(at('victim'), 'worktree', 'add', '-q', at('elsewhere'));
    point(`gitdir: ${at('victim/.git/worktrees/elsewhere')}\n`);
    expect(taken()).toBe(at('victim/.git'));
    expect(await repositoryOf(work, host)).toBeUndefined();
  });

  test('a pointer to a repository itself', async () => {
    repository('victim');
    point(`gitdir: ${at('victim/.git')}\n`);
    expect(taken()).toBe(at('victim/.git'));
    expect(await repositoryOf(work, host)).toBeUndefined();
  });

  test('a pointer to a folder of the project whose commondir leads out', async () => {
    repository('victim');
    mkdirSync(join(work, 'fake'));
    writeFileSync(join(work, 'fake/HEAD'), 'ref: refs/heads/main\n');
    writeFileSync(join(work, 'fake/commondir'), at('victim/.git'));
    writeFileSync(join(work, 'fake/gitdir'), join(work, '.git'));
    point('gitdir: fake\n');
    expect(taken()).toBe(at('victim/.git'));
    expect(await repositoryOf(work, host)).toBeUndefined();
  });

  test('the record of a worktree that has moved away', async () => {
    const moved = at('moved');
    renameSync(work, moved);
    expect(git(moved, 'rev-parse', '--path-format=absolute', '--git-common-dir')).toBe(at('shop/.git'));
    expect(await repositoryOf(moved, host)).toBeUndefined();
  });

  test('a repository that is the home folder, holds it, or is in the state folder', async () => {
    expect(await repositoryOf(work, host)).toEqual({ folder: at('shop/.git') });
    for (const facts of [{ home: at('shop/.git') }, { home: at('shop/.git/x') }, { stateDir: at('shop') }])
      expect(await repositoryOf(work, { ...host, ...facts } as HostFacts)).toBeUndefined();
  });

  test('a pointer to a submodule of another repository', async () => {
    makeSubmodule();
    point(`gitdir: ${at('shop/.git/modules/libs/x')}\n`);
    expect(taken()).toBe(at('shop/.git/modules/libs/x'));
    expect(await repositoryOf(work, host)).toBeUndefined();
  });

  test('a submodule whose repository names another work tree last', async () => {
    makeSubmodule();
    appendFileSync(at('shop/.git/modules/libs/x/config'), `[core]\n\tworktree = ${at('home')}\n`);
    expect(await repositoryOf(at('shop/libs/x'), host)).toBeUndefined();
  });

  test('the repository of a subfolder that is the home folder or holds it, as one of its settings', async () => {
    mkdirSync(at('shop/web'));
    for (const home of [at('shop'), at('shop/web/me')])
      expect(await repositoryOf(at('shop/web'), { ...host, home } as HostFacts)).toBeUndefined();
  });

  test('a repository further up than a `.git` that is none, or a link', async () => {
    mkdirSync(at('shop/web/.git'), { recursive: true });
    mkdirSync(at('shop/web/part'));
    expect(await repositoryOf(at('shop/web/part'), host)).toBeUndefined();
    rmSync(at('shop/web/.git'), { recursive: true });
    symlinkSync(at('shop/.git'), at('shop/web/.git'));
    expect(await repositoryOf(at('shop/web/part'), host)).toBeUndefined();
  });

  test('a pointer by a link', async () => {
    renameSync(join(work, '.git'), join(work, 'pointer'));
    symlinkSync('pointer', join(work, '.git'));
    expect(taken()).toBe(at('shop/.git'));
    expect(await repositoryOf(work, host)).toBeUndefined();
  });
});

test.each([
  '',
  'gitdir: ',
  'gitdir: \n',
  'gitdir: /\n',
  'gitdir: ../shop\n',
  `gitdir: ${'x'.repeat(5000)}\n`,
  'gitdir: a\0b\n',
])('no repository: %j', async (text) => {
  point(text);
  expect(await repositoryOf(work, host)).toBeUndefined();
});
