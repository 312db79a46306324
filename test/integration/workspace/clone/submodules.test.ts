/** What a clone's submodules come back with: each its own commits, checked as those of the repository around them. */
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchCommits } from '../../../../lib/workspace/clone/fetch.ts';
import { fillClone } from '../../../../lib/workspace/clone/fill.ts';
import type { CloneRecord } from '../../../../lib/workspace/clone/record.ts';
import { unsavedIn } from '../../../../lib/workspace/clone/state.ts';
import { Quarantine } from '../../../../lib/workspace/git/quarantine.ts';
import { commit, run, type World, world } from './fake-guest.ts';

const [MIDDLE, DEEP] = ['libs/middle', 'libs/middle/deep'];
let w: World;
let record: CloneRecord;
const inGuest = (path: string) => join(w.target, path);
const onHost = (path: string) => join(w.repo, path);
const fetched = () => fetchCommits(w.guest, { record, name: 'shop', parent: join(w.dir, 'state'), target: w.target });
const branch = (path: string) => run(onHost(path), 'for-each-ref', '--format=%(objectname)', 'refs/heads/sbx/shop');

beforeEach(async () => {
  w = world();
  using deep = world();
  using middle = world();
  run(middle.repo, 'submodule', '--quiet', 'add', deep.repo, 'deep');
  run(middle.repo, 'commit', '-q', '-m', 'deep');
  run(w.repo, 'submodule', '--quiet', 'add', middle.repo, MIDDLE);
  run(w.repo, 'submodule', '--quiet', 'update', '--init', '--recursive');
  run(w.repo, 'commit', '-q', '-m', 'middle');
  const source = await fillClone(w.guest, w.repo, { hide: [], parent: w.dir, target: w.target });
  if (source === undefined) throw new Error('it was there');
  const { tips, head, inner: submodules } = source;
  record = { version: 1, path: w.repo, hide: [], top: w.repo, tips, head, submodules, fetched: [] };
});
afterEach(() => {
  vi.restoreAllMocks();
  w[Symbol.dispose]();
});

test('the commits of submodules, and of theirs, become a branch of each on the host; they count until then', async () => {
  const deep = commit(inGuest(DEEP), { b: '2' });
  const middle = commit(inGuest(MIDDLE), { b: '2' });
  const outer = commit(w.target, { b: '2' });
  const unsaved = () => unsavedIn(w.guest, record, { target: w.target });
  expect((await unsaved()).commits).toBe(3);
  const { inner, notes } = await fetched();
  expect([branch(''), branch(MIDDLE), branch(DEEP)]).toEqual([outer, middle, deep]);
  expect(inner).toEqual([middle, deep]);
  expect(notes).toEqual([
    `${MIDDLE}: sbx/shop of the submodule is at ${middle.slice(0, 12)}: commits: 1, files: 2`,
    expect.stringContaining(`${MIDDLE}/deep: a submodule at`),
    `${DEEP}: sbx/shop of the submodule is at ${deep.slice(0, 12)}: commits: 1, files: 1`,
  ]);
  record = { ...record, fetched: [outer, ...inner] };
  expect((await unsaved()).commits).toBe(0);
  expect(run(w.repo, 'status', '--porcelain')).toBe('');
  expect(readdirSync(join(w.dir, 'state'))).toEqual([]);
});

test('what the outer commit records counts more than what is checked out; without a new commit there is no branch', async () => {
  const recorded = commit(inGuest(MIDDLE), { b: '2' });
  commit(w.target, {});
  commit(inGuest(MIDDLE), { b: '3' });
  await fetched();
  expect([branch(MIDDLE), branch(DEEP)]).toEqual([recorded, '']);
});

test('one that is gone on either side does not stop the rest', async () => {
  rmSync(inGuest(DEEP), { recursive: true });
  commit(inGuest(MIDDLE), { b: '2' });
  run(w.repo, 'submodule', '--quiet', 'deinit', '-f', MIDDLE);
  const outer = commit(w.target, { b: '2' });
  const { inner, notes } = await fetched();
  expect([branch(''), inner]).toEqual([outer, []]);
  expect(notes).toContainEqual(expect.stringContaining('whose commits are not fetched'));
});

test('a recorded commit that is not the one that was fetched is said to be missing', async () => {
  const inner = commit(inGuest(MIDDLE), { b: '2' });
  run(w.target, 'update-index', '--cacheinfo', `160000,${'1'.repeat(40)},${MIDDLE}`);
  run(w.target, 'commit', '-q', '-m', 'of nothing');
  const { notes } = await fetched();
  expect(branch(MIDDLE)).toBe(inner);
  expect(notes).toContainEqual(`${MIDDLE}: a submodule at ${'1'.repeat(40)}, whose commits are not fetched`);
});

describe('against the host:', () => {
  test('a link in place of a submodule leads to no other repository', async () => {
    using victim = world();
    commit(inGuest(MIDDLE), { b: '2' });
    rmSync(onHost(MIDDLE), { recursive: true });
    symlinkSync(victim.repo, onHost(MIDDLE));
    await fetched();
    expect(run(victim.repo, 'for-each-ref', 'refs/heads/sbx')).toBe('');
  });

  test('a pack with objects that git would refuse brings nothing, of no repository; without that check its names are refused', async () => {
    const blob = run(inGuest(MIDDLE), 'rev-parse', 'HEAD:a.txt');
    const file = join(w.dir, 'tree');
    writeFileSync(file, Buffer.concat([Buffer.from('100644 .git\0'), Buffer.from(blob, 'hex')]));
    const tree = run(inGuest(MIDDLE), 'hash-object', '-w', '-t', 'tree', '--literally', file);
    run(inGuest(MIDDLE), 'update-ref', 'HEAD', run(inGuest(MIDDLE), 'commit-tree', '-p', 'HEAD', '-m', 'x', tree));
    commit(inGuest(DEEP), { b: '2' });
    run(w.target, 'commit', '-q', '--allow-empty', '-m', 'outer');
    await expect(fetched()).rejects.toMatchObject({ code: 'workspace' });
    expect([branch(''), branch(MIDDLE), branch(DEEP)]).toEqual(['', '', '']);
    const { create } = Quarantine;
    vi.spyOn(Quarantine, 'create').mockImplementation((options) =>
      create.call(Quarantine, { ...options, unchecked: true }),
    );
    // The names are checked once more.
    await expect(fetched()).rejects.toMatchObject({ why: expect.stringContaining('invalid name') });
  });

  test('neither hooks nor the configuration of a submodule are run', async () => {
    const mark = join(w.dir, 'ran');
    const folder = join(w.repo, '.git/modules', MIDDLE);
    writeFileSync(join(folder, 'hooks/reference-transaction'), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
    run(onHost(MIDDLE), 'config', 'core.fsmonitor', `touch ${mark}`);
    rmSync(mark, { force: true });
    const inner = commit(inGuest(MIDDLE), { b: '2' });
    await fetched();
    expect(branch(MIDDLE)).toBe(inner);
    expect(existsSync(mark)).toBe(false);
    // The twin: git itself runs them.
    run(onHost(MIDDLE), 'branch', 'twin');
    expect(existsSync(mark)).toBe(true);
    expect(readFileSync(join(folder, 'HEAD'), 'utf8')).toBe('ref: refs/heads/main\n');
  });
});
