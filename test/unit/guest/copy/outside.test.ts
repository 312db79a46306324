import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  archiveOf,
  type Entry,
  expectNothingOutside,
  extractInto,
  file,
  folder,
  link,
  type Place,
  root,
  usePlace,
} from './rig.ts';

const place = usePlace();

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
    expectNothingOutside(place);
  });

  test('a NUL in a long name', async () => {
    const entry = { ...file('x'), pax: { path: './a\0/../../outside/x' } } as Entry;
    await expect(extractInto(place.into, await archiveOf([root, entry]))).rejects.toMatchObject({
      code: 'refused-policy',
    });
    expectNothingOutside(place);
  });

  test('bytes that are not an archive', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1024), Buffer.alloc(2000, 'x'), Buffer.from('short')])
      await expect(extractInto(place.into, bytes)).rejects.toThrow();
    expect(readdirSync(place.into)).toEqual([]);
  });

  test('an archive cut short leaves no half file', async () => {
    const archive = await archiveOf([root, file('a', 'x'.repeat(100_000))]);
    await expect(extractInto(place.into, archive.subarray(0, 50_000))).rejects.toThrow();
    expect(readdirSync(join(place.into, 'copy'))).toEqual([]);
  });

  test('random bytes', async () => {
    const good = await archiveOf([root, folder('a'), file('a/b', 'text'), link('c', 'a/b')]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        async (changes) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          await extractInto(place.into, bytes).catch(() => {});
          expectNothingOutside(place);
        },
      ),
      { numRuns: 300 },
    );
  });
});
