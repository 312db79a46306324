import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { scanFolder } from '../../../../lib/workspace/protect/scan.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sbx-scan-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), '');
  }
}

const scan = (hide: string[] = [], mostEntries = 1_000) => scanFolder(root, { hide, readonly: [], mostEntries });

test('repositories: git folders, git files, bare ones', async () => {
  write(
    '.git/HEAD',
    'sub/.git',
    'b.git/HEAD',
    'b.git/objects/x',
    'b.git/refs/x',
    'c/.git/config',
    'node_modules/p/.git/HEAD',
  );
  expect(await scan()).toMatchObject({ gitDirs: ['.git', 'b.git'], gitEntries: ['c/.git', 'sub/.git'] });
});

test('settings at any depth, but not those of installed packages', async () => {
  write('.vscode/a', 'x/y/.envrc', 'node_modules/p/.vscode/a', 'x/sandbox.toml');
  expect((await scan()).settings).toEqual(['.vscode', 'x/sandbox.toml', 'x/y/.envrc']);
});

test('hidden: the topmost, also among packages', async () => {
  write('.env', 'a/.env', 'secrets/.env', 'node_modules/p/.env');
  expect((await scan(['.env', 'secrets'])).hidden).toEqual([
    { path: '.env', kind: 'file' },
    { path: 'a/.env', kind: 'file' },
    { path: 'node_modules/p/.env', kind: 'file' },
    { path: 'secrets', kind: 'dir' },
  ]);
});

test('links are never followed', async () => {
  mkdirSync(join(root, 'a'));
  symlinkSync('..', join(root, 'a/up'));
  symlinkSync('/', join(root, 'system'));
  write('a/.env');
  expect((await scan(['.env'], 10)).hidden).toEqual([{ path: 'a/.env', kind: 'file' }]);
});

test('a link that is hidden and names the workspace itself is refused', async () => {
  symlinkSync('.', join(root, '.env'));
  await expect(scan(['.env'])).rejects.toMatchObject({ code: 'workspace' });
});

test('a tree that is too large is an error that says so', async () => {
  write(...Array.from({ length: 11 }, (_, index) => `f${index}`));
  await expect(scan([], 10)).rejects.toMatchObject({ code: 'workspace', hint: 'choose a smaller folder' });
});

test('a name that is no UTF-8 is an error where something must be hidden', async () => {
  const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]);
  mkdirSync(odd);
  writeFileSync(Buffer.concat([odd, Buffer.from('/.env')]), '');
  await expect(scan(['.env'])).rejects.toMatchObject({ code: 'workspace', hint: 'rename it' });
});
