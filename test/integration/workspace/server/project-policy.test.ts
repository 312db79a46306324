/** The policy of a project in force on a real folder: what a guest's kernel is answered, and what stays on the host. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compileWorkspacePolicy, type WorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import { projectPolicy } from '../../../../lib/workspace/server/project-policy.ts';
import { openVolume } from '../../../../lib/workspace/server/tables/volume.ts';
import { errnoOf, Rig, ROOT } from './rig.ts';

const [ENOENT, EACCES, EXDEV, EROFS] = [2, 13, 18, 30];

let folder: string;
let policy: WorkspacePolicy | undefined;
const at = (path: string) => join(folder, path);

type Lists = Partial<Record<'hide' | 'readonly' | 'private' | 'unprotect' | 'without', string[]>>;

function compile({ without = [], ...lists }: Lists): WorkspacePolicy {
  const entries = (list: Exclude<keyof Lists, 'without'>) =>
    (lists[list] ?? []).map((text) => ({ text, source: { file: 'sandbox.toml', line: 1, column: 1 } }));
  return compileWorkspacePolicy({
    hide: entries('hide'),
    readonly: entries('readonly'),
    private: entries('private'),
    unprotect: entries('unprotect'),
    configFiles: ['sandbox.toml'],
    fold: foldOf({}),
    without,
  });
}

function host(path: string, content = path): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
}

async function mount(): Promise<Rig & { [Symbol.asyncDispose](): Promise<void> }> {
  const volume = openVolume([{ name: '', path: folder }]);
  const rig = await Rig.mount(
    folder,
    projectPolicy(volume, () => (policy === undefined ? undefined : { policy })),
  );
  const dispose = rig[Symbol.asyncDispose].bind(rig);
  rig[Symbol.asyncDispose] = async () => {
    await dispose();
    volume[Symbol.dispose]();
  };
  return rig;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sbx-project-'));
  policy = compile({ hide: ['.env', '*.key'], readonly: ['docs'] });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function nodeOf(rig: Rig, path: string): Promise<number> {
  return path === '' ? ROOT : (await rig.walk(path)).node;
}

describe('a list of sandbox.toml', () => {
  test('hides at any depth, before and after the file exists', async () => {
    host('sub/deep/.env');
    host('sub/deep/plain');
    await using rig = await mount();
    const deep = await nodeOf(rig, 'sub/deep');
    expect(await errnoOf(rig.lookup(deep, '.env'))).toBe(ENOENT);
    expect(await errnoOf(rig.create(deep, 'new.key'))).toBe(EACCES);
    host('sub/deep/later.key');
    expect(await errnoOf(rig.lookup(deep, 'later.key'))).toBe(ENOENT);
    expect((await rig.list(deep)).map(({ name }) => name.toString())).toEqual(expect.not.arrayContaining(['.env']));
    await rig.lookup(deep, 'plain');
  });

  test('is in force at once when it changes, also for a file that is open', async () => {
    host('notes');
    await using rig = await mount();
    const { node } = await rig.lookup(ROOT, 'notes');
    const handle = await rig.open(node, 2);
    await rig.write(node, handle, 'first');
    policy = compile({ readonly: ['notes'] });
    expect(await errnoOf(rig.write(node, handle, 'again'))).toBe(EROFS);
    policy = compile({ hide: ['notes'] });
    expect(await errnoOf(rig.read(node, handle))).toBe(ENOENT);
    expect(readFileSync(at('notes'), 'utf8')).toBe('first');
    policy = compile({});
    await rig.write(node, handle, 'third');
    expect(readFileSync(at('notes'), 'utf8')).toBe('third');
  });

  test('matches names that are no UTF-8 by the bytes around them', async () => {
    const name = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('.key')]);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), 'secret');
    await using rig = await mount();
    expect(await errnoOf(rig.lookup(ROOT, name))).toBe(ENOENT);
    expect((await rig.list(ROOT)).some((entry) => entry.name.equals(name))).toBe(false);
    policy = compile({});
    await rig.lookup(ROOT, name);
  });

  test('without a policy for the folder everything is hidden', async () => {
    host('plain');
    policy = undefined;
    await using rig = await mount();
    expect(await errnoOf(rig.lookup(ROOT, 'plain'))).toBe(ENOENT);
  });
});

describe('what the host would run', () => {
  test('is read and never written, wherever the repository lies', async () => {
    for (const path of ['.git/HEAD', '.git/objects/x', '.git/refs/x', '.git/config', '.git/hooks/pre-commit'])
      host(path);
    for (const path of ['a/bare/HEAD', 'a/bare/objects/x', 'a/bare/refs/x', 'a/bare/config']) host(path);
    await using rig = await mount();
    for (const path of ['.git/config', '.git/hooks/pre-commit', 'a/bare/config']) {
      const node = await nodeOf(rig, path);
      await rig.open(node, 0);
      expect(await errnoOf(rig.open(node, 1))).toBe(EROFS);
      expect(await errnoOf(rig.setattr(node, { mode: 0o755 }))).toBe(EROFS);
    }
    expect(await errnoOf(rig.create(await nodeOf(rig, 'a/bare'), 'config.worktree'))).toBe(EROFS);
    await rig.create(await nodeOf(rig, '.git/objects'), 'new');
  });

  test('cannot be brought about: a .git of the guest, or the last part of a bare repository', async () => {
    mkdirSync(at('sub'));
    await using rig = await mount();
    const sub = await nodeOf(rig, 'sub');
    expect(await errnoOf(rig.mkdir(sub, '.git'))).toBe(EROFS);
    expect(await errnoOf(rig.symlink(sub, '.git', '../elsewhere'))).toBe(EROFS);
    await rig.mkdir(sub, 'objects');
    await rig.mkdir(sub, 'refs');
    expect(await errnoOf(rig.create(sub, 'HEAD'))).toBe(EROFS);
    const { node } = await rig.create(sub, 'draft');
    expect(node).toBeGreaterThan(ROOT);
    expect(await errnoOf(rig.rename([sub, 'draft'], [sub, 'HEAD']))).toBe(EROFS);
    expect(readdirSync(at('sub')).sort()).toEqual(['draft', 'objects', 'refs']);
  });

  test('the twin: without that rule the guest completes the repository', async () => {
    mkdirSync(at('sub'));
    policy = compile({ without: ['git-complete'] });
    await using rig = await mount();
    const sub = await nodeOf(rig, 'sub');
    await rig.mkdir(sub, 'objects');
    await rig.mkdir(sub, 'refs');
    await rig.create(sub, 'HEAD');
    expect(existsSync(at('sub/HEAD'))).toBe(true);
  });

  test('follows a change of the host: a folder that becomes a repository is one at the next operation', async () => {
    for (const path of ['r/objects/x', 'r/refs/x', 'r/config']) host(path);
    await using rig = await mount();
    const config = await nodeOf(rig, 'r/config');
    const handle = await rig.open(config, 1);
    await rig.write(config, handle, 'before');
    host('r/HEAD');
    expect(await errnoOf(rig.write(config, handle, 'after'))).toBe(EROFS);
    expect(readFileSync(at('r/config'), 'utf8')).toContain('before');
  });
});

describe('a rename', () => {
  test('neither takes a repository out of its rules nor puts a folder under a protected name', async () => {
    for (const path of ['p/.git/HEAD', 'p/.git/objects/x', 'p/.git/refs/x', 'p/.git/config', 'q/config', 'docs/x'])
      host(path);
    await using rig = await mount();
    const p = await nodeOf(rig, 'p');
    expect(await errnoOf(rig.rename([p, '.git'], [p, 'git']))).toBe(EROFS);
    expect(await errnoOf(rig.rename([ROOT, 'p'], [ROOT, 'p2']))).toBe(EXDEV);
    expect(await errnoOf(rig.rename([ROOT, 'q'], [p, '.vscode']))).toBe(EROFS);
    expect(await errnoOf(rig.rename([ROOT, 'docs'], [ROOT, 'papers']))).toBe(EROFS);
    await rig.rename([ROOT, 'q'], [ROOT, 'r']);
    expect(readdirSync(folder).sort()).toEqual(['docs', 'p', 'r']);
  });

  test('of a folder into one that another pattern covers is left to the guest to copy', async () => {
    host('a/b/file');
    mkdirSync(at('kept'));
    policy = compile({ hide: ['kept/**/secret'] });
    await using rig = await mount();
    const kept = await nodeOf(rig, 'kept');
    expect(await errnoOf(rig.rename([ROOT, 'a'], [kept, 'a']))).toBe(EXDEV);
    policy = compile({});
    await rig.rename([ROOT, 'a'], [kept, 'a']);
  });

  test('the twin: without the judgement a repository moves', async () => {
    for (const path of ['p/.git/HEAD', 'p/.git/objects/x', 'p/.git/refs/x']) host(path);
    const volume = openVolume([{ name: '', path: folder }]);
    const { decide } = projectPolicy(volume, () => (policy === undefined ? undefined : { policy }));
    await using rig = await Rig.mount(folder, { decide });
    await rig.rename([ROOT, 'p'], [ROOT, 'p2']);
    expect(existsSync(at('p2/.git'))).toBe(true);
    volume[Symbol.dispose]();
  });
});

describe('a question about the host', () => {
  test('never follows a link: a folder that became one is no repository, and nothing behind it is', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'sbx-outside-'));
    for (const name of ['HEAD', 'objects', 'refs']) mkdirSync(join(outside, name));
    host('s/config');
    await using rig = await mount();
    const config = await nodeOf(rig, 's/config');
    const handle = await rig.open(config, 1);
    renameSync(at('s'), at('moved'));
    symlinkSync(outside, at('s'));
    // The open file is still the one that was opened, and its folder still none of git's.
    await rig.write(config, handle, 'x');
    expect(readFileSync(at('moved/config'), 'utf8')).toMatch(/^x/);
    rmSync(outside, { recursive: true });
  });

  test('of 200 levels is answered', async () => {
    await using rig = await mount();
    let node = ROOT;
    for (let level = 0; level < 200; level += 1) node = (await rig.mkdir(node, 'd')).node;
    expect(await errnoOf(rig.create(node, '.env'))).toBe(EACCES);
    await rig.create(node, 'file');
  });

  test('leaves no descriptor open', async () => {
    for (const path of ['a/b/c/d/e/file', 'a/b/.git/HEAD', 'a/b/.git/objects/x', 'a/b/.git/refs/x']) host(path);
    await using rig = await mount();
    const a = await nodeOf(rig, 'a');
    const ask = async () => {
      await rig.walk('a/b/c/d/e/file');
      expect(await errnoOf(rig.rename([a, 'b'], [a, 'z']))).toBe(EXDEV);
      expect(await errnoOf(rig.walk('a/b/.git/none'))).toBe(ENOENT);
    };
    await ask();
    const before = readdirSync('/proc/self/fd').length;
    for (let count = 0; count < 50; count += 1) await ask();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });
});
