import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Folder } from '../../../lib/guest/copy/folder.ts';
import { pack } from '../../../lib/guest/copy/pack.ts';
import { archiveOf, copy, type Entry, extractInto, makePlace, type Place, treeOf } from './copy-rig.ts';

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place[Symbol.dispose]());

const root: Entry = { name: './', type: 'directory' };
const folder = (name: string): Entry => ({ name: `./${name}/`, type: 'directory' });
const file = (name: string, content = 'evil'): Entry => ({ name: `./${name}`, type: 'file', content });
const link = (name: string, linkname: string): Entry => ({ name: `./${name}`, type: 'symlink', linkname });

/** Nothing at all may have come to stand beside the copy. */
function expectNothingOutside(): void {
  expect(readdirSync(place.outside)).toEqual([]);
  expect(readdirSync(place.dir).toSorted()).toEqual(['into', 'outside']);
  expect(readdirSync(place.into).filter((name) => name !== 'copy')).toEqual([]);
}

describe('a copy', () => {
  test('is the same tree: content, modes, times, links, empty folders, odd names', async () => {
    const from = join(place.dir, 'from');
    mkdirSync(join(from, 'deep/er'), { recursive: true });
    mkdirSync(join(from, 'empty'));
    writeFileSync(join(from, 'deep/er/file'), 'content');
    writeFileSync(join(from, 'none'), '');
    writeFileSync(join(from, '-n ü\n"x" \\'), 'odd');
    writeFileSync(join(from, `${'long'.repeat(50)}`), Buffer.alloc(1_000_000, 'abc'));
    chmodSync(join(from, 'deep/er/file'), 0o750);
    chmodSync(join(from, 'none'), 0o400);
    symlinkSync('er/file', join(from, 'deep/link'));
    symlinkSync('../empty', join(from, 'deep/folder-link'));
    lutimesSync(join(from, 'deep/link'), 1e9, 1e9);
    utimesSync(join(from, 'deep/er/file'), 1.1e9, 1.1e9);
    chmodSync(join(from, 'deep/er'), 0o555);
    utimesSync(join(from, 'deep/er'), 1.2e9, 1.2e9);
    const result = await copy(place.dir, 'from', place.into);
    expect(treeOf(join(place.into, 'copy'))).toEqual(treeOf(from));
    expect(result).toEqual({ entries: 10, bytes: 1_000_010, skipped: [] });
    chmodSync(join(from, 'deep/er'), 0o755);
    chmodSync(join(place.into, 'copy/deep/er'), 0o755);
  });

  test('of one file, over an older one', async () => {
    writeFileSync(join(place.dir, 'one'), 'new');
    writeFileSync(join(place.into, 'copy'), 'older and longer', { mode: 0o600 });
    await copy(place.dir, 'one', place.into);
    expect(readFileSync(join(place.into, 'copy'), 'utf8')).toBe('new');
    expect(readdirSync(place.into)).toEqual(['copy']);
  });

  test('joins a folder that stands there, and leaves its mode', async () => {
    mkdirSync(join(place.dir, 'from/sub'), { recursive: true });
    writeFileSync(join(place.dir, 'from/sub/new'), '');
    mkdirSync(join(place.into, 'copy/sub'), { recursive: true, mode: 0o700 });
    writeFileSync(join(place.into, 'copy/sub/kept'), '');
    await copy(place.dir, 'from', place.into);
    expect(readdirSync(join(place.into, 'copy/sub')).toSorted()).toEqual(['kept', 'new']);
    expect(statSync(join(place.into, 'copy/sub')).mode & 0o777).toBe(0o700);
  });

  test('never makes anything set-uid', async () => {
    writeFileSync(join(place.dir, 'tool'), '');
    chmodSync(join(place.dir, 'tool'), 0o6755);
    await copy(place.dir, 'tool', place.into);
    expect(statSync(join(place.into, 'copy')).mode & 0o7777).toBe(0o755);
    const archive = await archiveOf([{ name: '.', type: 'file', mode: 0o6755, content: '' }]);
    await extractInto(place.into, archive, { name: 'other' });
    expect(statSync(join(place.into, 'other')).mode & 0o7777).toBe(0o755);
  });

  test('leaves out what is no file, and says so', async () => {
    mkdirSync(join(place.dir, 'from'));
    execFileSync('mkfifo', [join(place.dir, 'from/pipe')]);
    writeFileSync(Buffer.concat([Buffer.from(join(place.dir, 'from/bad')), Buffer.from([0xff])]), '');
    writeFileSync(join(place.dir, 'from/good'), '');
    await using from = await Folder.open(place.dir);
    const packing = pack(from, 'from');
    for (;;) {
      const { done, value } = await packing.next();
      if (done !== true) continue;
      expect(value.entries).toBe(2);
      expect(value.skipped.map(({ name }) => name)).toEqual(['./bad\u00ff', './pipe']);
      break;
    }
  });

  test('of nothing fails', async () => {
    await expect(copy(place.dir, 'none', place.into)).rejects.toMatchObject({
      message: expect.stringContaining('none'),
    });
  });
});

describe('an archive that leads out is refused, and writes nothing outside', () => {
  const cases: [string, (place: Place) => Entry[]][] = [
    ['an absolute name', () => [root, { name: '/etc/sbx-evil', type: 'file', content: '' }]],
    [
      'an absolute name of a place that exists',
      ({ outside }) => [root, { name: `${outside}/x`, type: 'file', content: '' }],
    ],
    ['.. first', () => [root, file('../../outside/x')]],
    ['.. in the middle', () => [root, folder('a'), file('a/../../../outside/x')]],
    ['.. last', () => [root, folder('..')]],
    ['.. as the whole', () => [{ name: '..', type: 'directory' }]],
    ['a name of nothing', () => [root, { name: './a//b', type: 'file', content: '' }]],
    ['a name with a dot in it', () => [root, folder('a'), file('a/./b')]],
    ['a link, then a file through it', ({ outside }) => [root, link('a', outside), file('a/x')]],
    ['a link inside, then a file through it', () => [root, folder('real'), link('a', 'real'), file('a/x')]],
    [
      'a link, then a folder of its name, then a file',
      ({ outside }) => [root, link('a', outside), folder('a'), file('a/x')],
    ],
    ['a link, then a file of its name', ({ outside }) => [root, link('a', `${outside}/x`), file('a')]],
    [
      'the whole is a link, then a file in it',
      ({ outside }) => [{ name: '.', type: 'symlink', linkname: outside }, file('x')],
    ],
    ['a hard link', ({ outside }) => [root, { name: './a', type: 'link', linkname: `${outside}/x` }]],
    ['a device', () => [root, { name: './a', type: 'character-device', devmajor: 1, devminor: 3 }]],
    ['a block device', () => [root, { name: './a', type: 'block-device', devmajor: 7, devminor: 0 }]],
    ['a pipe', () => [root, { name: './a', type: 'fifo' }]],
    ['names that differ by case only', () => [root, file('Makefile'), file('makefile')]],
    ['folders that differ by case only', () => [root, folder('A'), folder('a')]],
    [
      'a link and a folder that differ by case only',
      ({ outside }) => [root, link('A', outside), folder('a'), file('a/x')],
    ],
    ['one name in two forms of Unicode', () => [root, file('\u00e9'), file('e\u0301')]],
    ['the same name twice', () => [root, file('a'), file('a')]],
    ['a second whole', () => [root, root]],
    ['no whole', () => [file('a')]],
    ['a file in a folder that was left', () => [root, folder('a'), folder('b'), file('a/x')]],
    ['a file in a folder that never came', () => [root, file('a/x')]],
    ['a file in a file', () => [root, file('a'), file('a/x')]],
    [
      'very many folders in one another',
      () => [root, ...Array.from({ length: 300 }, (_, i) => folder('d/'.repeat(i + 1).slice(0, -1)))],
    ],
  ];

  test.each(cases)('%s', async (_name, entries) => {
    const archive = await archiveOf(entries(place));
    await expect(extractInto(place.into, archive)).rejects.toMatchObject({ code: 'refused-policy' });
    expectNothingOutside();
  });

  test('a NUL in a long name', async () => {
    const entry = { ...file('x'), pax: { path: './a\0/../../outside/x' } } as Entry;
    await expect(extractInto(place.into, await archiveOf([root, entry]))).rejects.toMatchObject({
      code: 'refused-policy',
    });
    expectNothingOutside();
  });

  test('what is no archive at all', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1024), Buffer.alloc(2000, 'x'), Buffer.from('short')])
      await expect(extractInto(place.into, bytes)).rejects.toThrow();
    expect(readdirSync(place.into)).toEqual([]);
  });

  test('an archive cut short leaves no half file', async () => {
    const archive = await archiveOf([root, file('a', 'x'.repeat(100_000))]);
    await expect(extractInto(place.into, archive.subarray(0, 50_000))).rejects.toThrow();
    expect(readdirSync(join(place.into, 'copy'))).toEqual([]);
  });

  test('bytes of chance', async () => {
    const good = await archiveOf([root, folder('a'), file('a/b', 'text'), link('c', 'a/b')]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        async (changes) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          await extractInto(place.into, bytes).catch(() => {});
          expectNothingOutside();
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('links', () => {
  test('that lead out of the tree are left out and named', async () => {
    const leading = ['/etc/passwd', '..', '../x', 'a/../../x', '../../../../etc/passwd', 'real/../secret', './../x'];
    const entries = [
      root,
      folder('real'),
      ...leading.map((to, index) => link(`l${index}`, to)),
      link('good', 'real/x'),
    ];
    const result = await extractInto(place.into, await archiveOf(entries));
    expect(result.skipped.map(({ name }) => name)).toEqual(leading.map((_, index) => `./l${index}`));
    expect(readdirSync(join(place.into, 'copy')).toSorted()).toEqual(['good', 'real']);
  });

  test('may lead up as far as the tree goes', async () => {
    const entries = [root, folder('a'), folder('a/b'), link('a/b/l', '../../x'), link('a/b/out', '../../../x')];
    await extractInto(place.into, await archiveOf(entries));
    expect(readlinkSync(join(place.into, 'copy/a/b/l'))).toBe('../../x');
    expect(existsSync(join(place.into, 'copy/a/b/out'))).toBe(false);
  });

  test('go as they are in a copy from the host', async () => {
    await extractInto(place.into, await archiveOf([root, link('l', '/usr/bin/env'), file('A'), file('a')]), {
      trusted: true,
    });
    expect(readlinkSync(join(place.into, 'copy/l'))).toBe('/usr/bin/env');
    expect(readdirSync(join(place.into, 'copy')).toSorted()).toEqual(['A', 'a', 'l']);
  });

  test('that stand at the place are not written through', async () => {
    writeFileSync(join(place.outside, 'kept'), 'kept');
    symlinkSync(join(place.outside, 'kept'), join(place.into, 'file'));
    symlinkSync(place.outside, join(place.into, 'folder'));
    const one = await archiveOf([{ name: '.', type: 'file', content: 'evil' }]);
    const tree = await archiveOf([root, file('x')]);
    for (const [name, archive] of [
      ['file', one],
      ['folder', one],
      ['folder', tree],
    ] as const)
      await expect(extractInto(place.into, archive, { name })).rejects.toMatchObject({ code: 'refused-policy' });
    expect(readFileSync(join(place.outside, 'kept'), 'utf8')).toBe('kept');
    expect(readdirSync(place.outside)).toEqual(['kept']);
  });

  test('a link inside the copied folder is not followed by what reads it', async () => {
    mkdirSync(join(place.dir, 'from'));
    writeFileSync(join(place.outside, 'secret'), 'secret');
    symlinkSync(place.outside, join(place.dir, 'from/link'));
    await copy(place.dir, 'from', place.into, { trusted: true });
    expect(readlinkSync(join(place.into, 'copy/link'))).toBe(place.outside);
  });

  test('on the way to the place are refused, with the real path', async () => {
    symlinkSync(place.outside, join(place.dir, 'way'));
    mkdirSync(join(place.outside, 'sub'));
    for (const path of ['way', 'way/sub', 'way/../way/sub'])
      await expect(Folder.open(join(place.dir, 'x', '..', path))).rejects.toMatchObject({
        code: 'refused-policy',
        hint: expect.stringContaining(place.outside),
      });
    await expect(Folder.open(join(place.dir, 'none'))).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('a folder swapped for a link while it is in use', () => {
  test('is written where it is now, not where the link leads', async () => {
    mkdirSync(join(place.into, 'parent'));
    await using parent = await Folder.open(join(place.into, 'parent'));
    renameSync(join(place.into, 'parent'), join(place.into, 'moved'));
    symlinkSync(place.outside, join(place.into, 'parent'));
    const file = await parent.createFile('x');
    await file.close();
    expect(readdirSync(place.outside)).toEqual([]);
    expect(readdirSync(join(place.into, 'moved'))).toEqual(['x']);
  });

  test('is read where it is now', async () => {
    mkdirSync(join(place.dir, 'from/sub'), { recursive: true });
    writeFileSync(join(place.outside, 'secret'), 'secret');
    await using from = await Folder.open(join(place.dir, 'from'));
    renameSync(join(place.dir, 'from/sub'), join(place.dir, 'from/old'));
    symlinkSync(place.outside, join(place.dir, 'from/sub'));
    await expect(from.enter('sub')).rejects.toThrow();
    await expect(from.openFile('sub')).rejects.toThrow();
  });

  test('a name is one name', async () => {
    await using from = await Folder.open(place.into);
    for (const name of ['', '.', '..', 'a/b', '../outside', 'a\0b'])
      expect(() => from.openFile(name)).toThrow(/not a name/);
  });
});

test('a file that becomes shorter while it is read ends the copy', async () => {
  writeFileSync(join(place.dir, 'log'), Buffer.alloc(4_000_000));
  await using from = await Folder.open(place.dir);
  const packing = pack(from, 'log');
  await packing.next();
  truncateSync(join(place.dir, 'log'), 300_000);
  await expect(
    (async () => {
      for await (const _ of packing);
    })(),
  ).rejects.toThrow(/shorter/);
});

test('a reader who stops early ends the reading', async () => {
  mkdirSync(join(place.dir, 'from'));
  for (let index = 0; index < 50; index += 1) writeFileSync(join(place.dir, `from/${index}`), Buffer.alloc(100_000));
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  {
    await using from = await Folder.open(place.dir);
    for await (const _ of pack(from, 'from')) break;
  }
  expect(open()).toBe(before);
});
