/** The folders of `[agent] keep` on the host. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collectKept } from '../../../../../lib/engine/local/kept-garbage.ts';
import { keptFolders, noteKeptOwner, removeKept } from '../../../../../lib/engine/local/workspace/kept.ts';
import { homeOf, keptPaths } from '../../../../../lib/paths.ts';
import { servedFolders } from '../../../../../lib/workspace/folders.ts';
import { spec } from '../../../../unit/plan/spec.ts';

let base: string;
let home: ReturnType<typeof homeOf>;
const at = (path: string) => join(base, path);
const keeping = (keep: string[], keepExcept: string[] = []) =>
  spec({ workspace: { ...spec().workspace, path: at('shop') }, agent: { ...spec().agent, keep, keepExcept } });

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-kept-')));
  home = homeOf({ SBX_HOME: at('home') });
  mkdirSync(at('shop'));
  writeFileSync(at('shop/sandbox.toml'), 'version = 1\n');
});
afterEach(() => rmSync(base, { recursive: true }));

test('each sandbox has its own, and finds it again', async () => {
  const [one] = await keptFolders(home, 'one', keeping(['.local/share/x']));
  const [two] = await keptFolders(home, 'two', keeping(['.local/share/x']));
  writeFileSync(join(one?.host ?? '', 'a'), '');
  const [again] = await keptFolders(home, 'one', keeping(['.local/share/x']));
  expect([again?.guest, readdirSync(again?.host ?? '')]).toEqual(['/home/agent/.local/share/x', ['a']]);
  expect(readdirSync(two?.host ?? '')).toEqual([]);
});

test('no other user of the host can read them', async () => {
  await keptFolders(home, 'one', keeping(['.a']));
  expect(statSync(home.kept).mode & 0o777).toBe(0o700);
});

describe('they are served', () => {
  test.each(['mount', 'clone'] as const)('in mode %s, with what is left out kept apart', async (mode) => {
    const one = keeping(['.a'], ['.a/auth.json']);
    const changed = { ...one, workspace: { ...one.workspace, mode } };
    const { folders, guestMounts } = await servedFolders(changed, [home.root], await keptFolders(home, 'one', one));
    const kept = folders.find(({ name }) => name === 'kept-0');
    expect(kept).toMatchObject({ readonly: false, rules: { own: true, private: [{ text: '/auth.json' }] } });
    const source = mode === 'clone' ? '.' : 'kept-0';
    expect(guestMounts).toContainEqual({ source, target: '/home/agent/.a' });
    expect(folders.length).toBe(mode === 'clone' ? 1 : 2);
  });

  test('a project cannot mount those of another one', async () => {
    const [one] = await keptFolders(home, 'one', keeping(['.a']));
    const source = { file: at('shop/sandbox.toml'), line: 1, column: 1 };
    const thief = { ...keeping([]), mounts: [{ host: one?.host ?? '', guest: '/x', readonly: true, source }] };
    await expect(servedFolders(thief, [home.root])).rejects.toMatchObject({ code: 'workspace' });
    // Without the rule it would.
    expect((await servedFolders(thief, [])).guestMounts).toContainEqual({ source: 'm0', target: '/x' });
  });
});

describe('gc', () => {
  const found = (all: boolean, existing: string[] = []) => {
    const { freed, kept } = collectKept(home, new Set(existing), { all, dryRun: false });
    return { freed: freed.map(({ key }) => key), kept: kept.map(({ key }) => key) };
  };

  beforeEach(async () => {
    await keptFolders(home, 'one', keeping(['.a']));
    await noteKeptOwner(home, 'one', { projectDir: at('shop'), name: 'shop' });
  });

  test('names those of a sandbox that was removed, and keeps them while its project is there', () => {
    expect(found(true)).toEqual({ freed: [], kept: ['one'] });
    expect(found(false, ['one'])).toEqual({ freed: [], kept: [] });
  });

  test('frees those of a project that is gone, only with --all', () => {
    rmSync(at('shop'), { recursive: true });
    expect(found(false)).toEqual({ freed: [], kept: ['one'] });
    expect(existsSync(keptPaths(home, 'one').dir)).toBe(true);
    expect(found(true)).toEqual({ freed: ['one'], kept: [] });
    expect(existsSync(keptPaths(home, 'one').dir)).toBe(false);
  });
});

test('a link that the guest made is removed, not followed', async () => {
  const [one] = await keptFolders(home, 'one', keeping(['.a']));
  symlinkSync(at('shop'), join(one?.host ?? '', 'out'));
  removeKept(home, 'one');
  expect([existsSync(keptPaths(home, 'one').dir), existsSync(at('shop/sandbox.toml'))]).toEqual([false, true]);
});
