import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkRoots } from '../../../lib/workspace/roots.ts';

let base = '';
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-roots-')));
  for (const name of ['home/shop/src', 'home/state/store', 'home/shop-evil', 'data/secret'])
    mkdirSync(join(base, name), { recursive: true });
  symlinkSync('home/shop', join(base, 'link'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function check(path: string, mounts: [host: string, readonly: boolean][] = []) {
  return checkRoots({
    path: join(base, path),
    mounts: mounts.map(([host, readonly]) => ({ host: host.startsWith('/') ? host : join(base, host), readonly })),
    forbidden: [join(base, 'home/state')],
    userHome: join(base, 'home'),
  });
}

test.each<[why: string, path: string, mounts: [string, boolean][]]>([
  ['the home folder as the workspace', 'home', []],
  ['a folder above the home folder', '', []],
  ['the state folder', 'home/state', []],
  ['a folder in the state folder', 'home/state/store', []],
  ['a workspace by a link', 'link', []],
  ['a mount of the home folder', 'home/shop', [['home', true]]],
  ['a mount of the state folder', 'home/shop', [['home/state', true]]],
  ['a mount of the whole system', 'home/shop', [['/', true]]],
  ['a mount of /proc', 'home/shop', [['/proc/self', true]]],
  ['a mount that holds the workspace', 'home/shop/src', [['home/shop', false]]],
  ['a mount inside the workspace', 'home/shop', [['home/shop/src', true]]],
  ['the workspace twice', 'home/shop', [['home/shop', true]]],
  ['the workspace twice, by a link', 'home/shop', [['link', true]]],
  [
    'read-only inside of writable',
    'home/shop',
    [
      ['data', false],
      ['data/secret', true],
    ],
  ],
  [
    'one folder read-only and writable',
    'home/shop',
    [
      ['data', true],
      ['data', false],
    ],
  ],
  ['nothing', 'home/shop', [['gone', true]]],
])('refused: %s', (_, path, mounts) => {
  expect(() => check(path, mounts)).toThrow(expect.objectContaining({ code: 'workspace', hint: expect.any(String) }));
});

test.each<[why: string, mounts: [string, boolean][]]>([
  ['a neighbour whose name begins alike', [['home/shop-evil', false]]],
  [
    'writable inside of read-only',
    [
      ['data', true],
      ['data/secret', false],
    ],
  ],
  ['a folder elsewhere', [['data', false]]],
])('allowed: %s', (_, mounts) => {
  expect(check('home/shop', mounts)).toHaveLength(mounts.length);
});
