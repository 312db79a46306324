import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { foldTraitsOf, traitsOf } from '../../../../lib/workspace/facts/fold-traits.ts';
import { closeFd } from '../../../../lib/workspace/server/sys/files.ts';
import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../../../../lib/workspace/server/sys/flags.ts';
import { openAt } from '../../../../lib/workspace/server/sys/names.ts';

const [EXT4, VFAT, FUSE, CASEFOLD] = [0xef53, 0x4d44, 0x65735546, 0x4000_0000];

test('names are bytes on the file systems of Linux', () => {
  expect(traitsOf(EXT4, 0)).toEqual({});
  const fd = openAt(AT_FDCWD, tmpdir(), O_PATH | O_DIRECTORY);
  expect(foldTraitsOf(fd)).toEqual({});
  closeFd(fd);
});

test('a folder with case folding ignores case, forms and what shows nothing', () => {
  expect(traitsOf(EXT4, CASEFOLD)).toEqual({
    ignoresCase: true,
    normalizes: true,
    dropsIgnorable: true,
    windows: false,
  });
});

test.each([
  ['FAT', VFAT],
  ['FUSE', FUSE],
  ['an unknown one', 1],
])('%s may compare in every way', (_, type) => {
  expect(Object.values(traitsOf(type, 0))).toEqual([true, true, true, true]);
});

test('so may what cannot be asked', () => {
  expect(foldTraitsOf(-1).windows).toBe(true);
});
