/** A clone made from a host's repository and its work fetched back, with real git and a guest that is a folder. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchCommits } from '../../../../lib/workspace/clone/fetch.ts';
import { fillClone } from '../../../../lib/workspace/clone/fill.ts';
import type { CloneRecord } from '../../../../lib/workspace/clone/record.ts';
import { diffOfClone, unsavedIn } from '../../../../lib/workspace/clone/state.ts';
import { commit, run, type World, world } from './fake-guest.ts';

let w: World;
beforeEach(() => {
  w = world();
});
afterEach(() => w[Symbol.dispose]());

async function fill(hide: string[] = [], folder = w.repo, more: object = {}): Promise<CloneRecord> {
  const source = await fillClone(w.guest, folder, { hide, parent: w.dir, target: w.target, ...more });
  if (source === undefined) throw new Error('it was there');
  const { top, dir, tips, head, inner: submodules } = source;
  return { version: 1, path: folder, hide, top, tips, head, submodules, plain: dir !== top, fetched: [] };
}

const fetched = (record: CloneRecord, more: object = {}) =>
  fetchCommits(w.guest, { record, name: 'shop', parent: join(w.dir, 'state'), target: w.target, ...more });

describe('a clone', () => {
  test('has the history, branches, tags, HEAD and the files, without what is not committed', async () => {
    run(w.repo, 'branch', 'other');
    run(w.repo, 'tag', 'v1');
    writeFileSync(join(w.repo, '.env'), 'SECRET=1\n');
    run(w.repo, 'remote', 'add', 'origin', 'https://me:secret@example.com/x.git');
    await fill(['.env']);
    expect(run(w.target, 'rev-parse', 'HEAD', 'other', 'v1')).toBe(run(w.repo, 'rev-parse', 'HEAD', 'other', 'v1'));
    expect(run(w.target, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
    expect(run(w.target, 'status', '--porcelain')).toBe('');
    expect(existsSync(join(w.target, '.env'))).toBe(false);
    expect(run(w.target, 'remote', 'get-url', 'origin')).toBe('https://example.com/x.git');
    expect(run(w.target, 'fsck', '--strict')).toBe('');
  });

  test('of a hidden file that was ever committed is refused', async () => {
    commit(w.repo, { 'deep/.env': 'SECRET=1\n' });
    run(w.repo, 'rm', '-q', 'deep/.env');
    run(w.repo, 'commit', '-q', '-m', 'gone');
    await expect(fill(['.env'])).rejects.toThrow('hidden files are in the history');
    expect(existsSync(w.target)).toBe(false);
    // The twin: without the pattern it would be readable.
    await fill([]);
    expect(run(w.target, 'show', 'HEAD^:deep/.env')).toBe('SECRET=1');
  });

  test('that was finished is not made again; one that was cut off is', async () => {
    mkdirSync(join(w.target, '.git'), { recursive: true });
    writeFileSync(join(w.target, '.git', 'sbx-in'), 'half');
    await fill();
    commit(w.target, { 'b.txt': 'two\n' });
    expect(await fillClone(w.guest, w.repo, { hide: [], parent: w.dir, target: w.target })).toBeUndefined();
    expect(readFileSync(join(w.target, 'b.txt'), 'utf8')).toBe('two\n');
  });

  test('of a detached HEAD, an unborn branch, a subfolder, a worktree and a shallow repository', async () => {
    commit(w.repo, { 'sub/x': 'x\n' });
    run(w.repo, 'worktree', 'add', '-q', '--detach', join(w.dir, 'tree'));
    const tree = await fill([], join(w.dir, 'tree', 'sub'));
    expect(tree.top).toBe(join(w.dir, 'tree'));
    expect(run(w.target, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('HEAD');
    using shallow = world();
    commit(shallow.repo, { b: '2' });
    run(shallow.dir, 'clone', '-q', '--depth', '1', `file://${shallow.repo}`, 'short');
    await fillClone(shallow.guest, join(shallow.dir, 'short'), { hide: [], parent: w.dir, target: shallow.target });
    expect(run(shallow.target, 'rev-list', '--count', 'HEAD')).toBe('1');
    using unborn = world();
    run(unborn.dir, 'init', '-q', '-b', 'start', 'fresh');
    await fillClone(unborn.guest, join(unborn.dir, 'fresh'), { hide: [], parent: w.dir, target: unborn.target });
    expect(run(unborn.target, 'symbolic-ref', 'HEAD')).toBe('refs/heads/start');
  });

  test('has the submodules that are checked out', async () => {
    using inner = world();
    run(w.repo, 'submodule', '--quiet', 'add', inner.repo, 'lib/inner');
    run(w.repo, 'commit', '-q', '-m', 'submodule');
    await fill();
    expect(readFileSync(join(w.target, 'lib/inner/a.txt'), 'utf8')).toBe('one\n');
    expect(run(w.target, 'status', '--porcelain')).toBe('');
  });

  test('leaves LFS pointers as they are', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n';
    commit(w.repo, { '.gitattributes': '*.bin filter=lfs\n', 'x.bin': pointer });
    await fill();
    expect(readFileSync(join(w.target, 'x.bin'), 'utf8')).toBe(pointer);
  });
});

describe('a clone with what is in no commit', () => {
  const asked = { uncommitted: true };

  test('has changed, new, binary, executable and removed files and links, none of the ignored and hidden ones', async () => {
    commit(w.repo, { 'gone.txt': 'x\n', 'same.txt': 'same\n', '.gitignore': 'ignored\n' });
    writeFileSync(join(w.repo, 'a.txt'), 'changed\n');
    rmSync(join(w.repo, 'gone.txt'));
    for (const [name, text] of Object.entries({ ignored: 'i', '.env': 'SECRET=1\n', 'sp ace\né': 'n\n' }))
      writeFileSync(join(w.repo, name), text);
    writeFileSync(join(w.repo, 'tool'), Buffer.from([0, 255, 10, 0]), { mode: 0o755 });
    symlinkSync('a.txt', join(w.repo, 'link'));
    const before = [run(w.repo, 'status', '--porcelain', '--ignored'), run(w.repo, 'count-objects')];
    await fill(['.env'], w.repo, asked);
    const hostWithout = before[0]?.split('\n').filter((line) => !/ignored|\.env/.test(line));
    expect(run(w.target, 'status', '--porcelain', '--ignored').split('\n')).toEqual(hostWithout);
    expect(readFileSync(join(w.target, 'tool'))).toEqual(Buffer.from([0, 255, 10, 0]));
    expect(statSync(join(w.target, 'tool')).mode & 0o111).not.toBe(0);
    expect(readlinkSync(join(w.target, 'link'))).toBe('a.txt');
    expect([run(w.repo, 'status', '--porcelain', '--ignored'), run(w.repo, 'count-objects')]).toEqual(before);
    expect(readdirSync(w.dir).filter((name) => name.startsWith('quarantine'))).toEqual([]);
  });

  test('does not count them as its own work, nor shows them as such, until it changes them', async () => {
    writeFileSync(join(w.repo, 'a.txt'), 'changed\n');
    writeFileSync(join(w.repo, 'new.txt'), 'new\n');
    const record = await fill([], w.repo, asked);
    const unsaved = () => unsavedIn(w.guest, record, { target: w.target });
    expect(await unsaved()).toEqual({ changes: 0, commits: 0 });
    expect(await diffOfClone(w.guest, record, { target: w.target })).toBe('');
    writeFileSync(join(w.target, 'new.txt'), 'newer\n');
    expect(await unsaved()).toEqual({ changes: 1, commits: 0 });
    expect(await diffOfClone(w.guest, record, { target: w.target })).toContain('+newer');
    run(w.target, 'add', '-A');
    run(w.target, 'commit', '-q', '-m', 'mine');
    expect(await unsaved()).toEqual({ changes: 0, commits: 1 });
    expect((await fetched(record)).files).toBe(2);
  });

  test('runs no filter that the repository configures', async () => {
    const mark = join(w.dir, 'ran');
    run(w.repo, 'config', 'filter.x.clean', `touch ${mark}; cat`);
    commit(w.repo, { '.gitattributes': '*.txt filter=x\n' });
    rmSync(mark, { force: true });
    writeFileSync(join(w.repo, 'a.txt'), 'changed\n');
    await fill([], w.repo, asked);
    expect(readFileSync(join(w.target, 'a.txt'), 'utf8')).toBe('changed\n');
    expect(existsSync(mark)).toBe(false);
    // The twin: git itself runs it.
    run(w.repo, 'diff', 'HEAD');
    expect(existsSync(mark)).toBe(true);
  });

  test('is made without them when it is not asked for, and of a repository without a commit', async () => {
    writeFileSync(join(w.repo, 'a.txt'), 'changed\n');
    await fill();
    expect(readFileSync(join(w.target, 'a.txt'), 'utf8')).toBe('one\n');
    using unborn = world();
    run(unborn.dir, 'init', '-q', '-b', 'start', 'fresh');
    writeFileSync(join(unborn.dir, 'fresh', 'x'), 'x\n');
    const options = { hide: [], parent: unborn.dir, target: unborn.target, ...asked };
    await fillClone(unborn.guest, join(unborn.dir, 'fresh'), options);
    expect(readFileSync(join(unborn.target, 'x'), 'utf8')).toBe('x\n');
  });
});

describe('of a folder without git', () => {
  const plain = () => {
    const folder = join(w.dir, 'plain');
    mkdirSync(join(folder, 'sub'), { recursive: true });
    for (const [name, text] of Object.entries({ 'a.txt': 'one\n', 'sub/b': 'b\n', '.env': 'SECRET=1\n', out: 'o' }))
      writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, '.gitignore'), 'out\n');
    return folder;
  };

  test('the clone has its files as one commit, without hidden and ignored ones; nothing is written into the folder', async () => {
    const folder = plain();
    mkdirSync(join(w.dir, 'folder-of-a-killed-daemon'));
    await fill(['.env'], folder);
    expect(run(w.target, 'ls-files').split('\n')).toEqual(['.gitignore', 'a.txt', 'sub/b']);
    expect(run(w.target, 'status', '--porcelain')).toBe('');
    expect(run(w.target, 'log', '--all', '--format=%s', '-p')).not.toContain('SECRET');
    expect(readdirSync(folder).toSorted()).toEqual(['.env', '.gitignore', 'a.txt', 'out', 'sub']);
    expect(readdirSync(w.dir).filter((name) => name.startsWith('folder-'))).toEqual([]);
  });

  test('its work comes back as a patch, which git takes over; a fetch says so', async () => {
    const folder = plain();
    const record = await fill(['.env'], folder);
    commit(w.target, { 'a.txt': 'two\n', 'new/c': 'c\n' });
    writeFileSync(join(w.target, 'data'), Buffer.from([0, 1, 2, 255]));
    const patch = await diffOfClone(w.guest, record, { target: w.target, asPatch: true });
    writeFileSync(join(w.dir, 'work.patch'), patch);
    run(folder, 'apply', join(w.dir, 'work.patch'));
    expect(readFileSync(join(folder, 'a.txt'), 'utf8')).toBe('two\n');
    expect(readFileSync(join(folder, 'data'))).toEqual(Buffer.from([0, 1, 2, 255]));
    expect(readFileSync(join(folder, 'new/c'), 'utf8')).toBe('c\n');
    await expect(fetched(record)).rejects.toThrow('has no repository to fetch into');
  });

  test('a repository in it is named, and can be hidden', async () => {
    const folder = plain();
    run(folder, 'init', '-q', 'inner');
    commit(join(folder, 'inner'), { x: 'x' });
    await expect(fill([], folder)).rejects.toThrow('a repository lies in the folder: inner/');
    await fill(['inner'], folder);
    expect(existsSync(join(w.target, 'inner'))).toBe(false);
  });
});

describe('its work', () => {
  test('comes back as one branch, and nothing else of the host changes', async () => {
    const record = await fill();
    const before = [
      run(w.repo, 'rev-parse', 'HEAD'),
      run(w.repo, 'for-each-ref'),
      readFileSync(join(w.repo, '.git/index')).toString('hex'),
    ];
    const id = commit(w.target, { 'b.txt': 'two\n' });
    const result = await fetched(record);
    expect(result).toMatchObject({ branch: 'sbx/shop', commit: id, commits: 1, files: 1, notes: [] });
    expect(run(w.repo, 'show', 'sbx/shop:b.txt')).toBe('two');
    run(w.repo, 'update-ref', '-d', 'refs/heads/sbx/shop');
    expect([
      run(w.repo, 'rev-parse', 'HEAD'),
      run(w.repo, 'for-each-ref'),
      readFileSync(join(w.repo, '.git/index')).toString('hex'),
    ]).toEqual(before);
    expect(existsSync(join(w.repo, '.git/FETCH_HEAD'))).toBe(false);
    expect(run(w.repo, 'fsck', '--no-dangling')).toBe('');
  });

  test('is fetched again as it grows; a branch that went another way, or is checked out, is kept', async () => {
    const record = await fill();
    commit(w.target, { 'b.txt': 'two\n' });
    await fetched(record);
    const second = commit(w.target, { 'b.txt': 'three\n' });
    await fetched(record);
    expect(run(w.repo, 'rev-parse', 'sbx/shop')).toBe(second);
    run(w.target, 'commit', '-q', '--amend', '-m', 'other');
    await expect(fetched(record)).rejects.toThrow('commits that the sandbox does not have');
    run(w.repo, 'switch', '-q', 'sbx/shop');
    await expect(fetched(record, { force: true })).rejects.toThrow('is checked out');
    run(w.repo, 'switch', '-q', 'main');
    await fetched(record, { force: true });
    expect(run(w.repo, 'log', '-1', '--format=%s', 'sbx/shop')).toBe('other');
  });

  test('is counted while the host does not have it', async () => {
    const record = await fill();
    expect(await unsavedIn(w.guest, record, { target: w.target })).toEqual({ changes: 0, commits: 0 });
    const id = commit(w.target, { 'b.txt': 'two\n' });
    run(w.target, 'switch', '-q', '-c', 'aside');
    commit(w.target, { 'c.txt': 'c\n' });
    writeFileSync(join(w.target, 'new'), '');
    expect(await unsavedIn(w.guest, record, { target: w.target })).toEqual({ changes: 1, commits: 2 });
    expect(await unsavedIn(w.guest, { ...record, fetched: [id] }, { target: w.target })).toEqual({
      changes: 1,
      commits: 1,
    });
  });

  test('is shown as a diff, with what is not committed, and without a change of its index', async () => {
    const record = await fill();
    commit(w.target, { 'b.txt': 'two\n' }, 'add b');
    writeFileSync(join(w.target, 'new'), 'fresh\n');
    const diff = await diffOfClone(w.guest, record, { target: w.target });
    expect(diff).toContain('add b');
    expect(diff).toContain('+two');
    expect(diff).toContain('+fresh');
    expect(run(w.target, 'status', '--porcelain')).toBe('?? new');
  });

  test('of two clones of one project stands side by side', async () => {
    const record = await fill();
    commit(w.target, { 'b.txt': 'two\n' });
    await fetched(record);
    const other = await fillClone(
      {
        exec: (one) =>
          w.guest.exec({
            ...one,
            argv: one.argv.map((text) => text.replaceAll('/var/lib/sbx-clone-ready', join(w.dir, 'other'))),
          }),
      },
      w.repo,
      { hide: [], parent: w.dir, target: `${w.target}-2` },
    );
    expect(other?.tips).toEqual(record.tips);
    commit(`${w.target}-2`, { 'c.txt': 'c\n' });
    await fetched(record, { name: 'shop-2', target: `${w.target}-2` });
    expect(run(w.repo, 'branch', '--list', 'sbx/*', '--format=%(refname:short)').split('\n')).toEqual([
      'sbx/shop',
      'sbx/shop-2',
    ]);
  });
});
