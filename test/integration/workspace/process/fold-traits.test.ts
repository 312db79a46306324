import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { foldTraitsOf } from '../../../../lib/workspace/process/fold-traits.ts';
import { closeFd } from '../../../../lib/workspace/server/sys/files.ts';
import { AT_FDCWD, O_DIRECTORY, O_PATH } from '../../../../lib/workspace/server/sys/flags.ts';
import { openAt } from '../../../../lib/workspace/server/sys/names.ts';

function traitsAt(path: string) {
  const fd = openAt(AT_FDCWD, path, O_PATH | O_DIRECTORY);
  try {
    return foldTraitsOf(fd);
  } finally {
    closeFd(fd);
  }
}

test('the traits of a folder are read from its descriptor; what is not known has all of them', () => {
  for (const path of ['/dev/shm', tmpdir()]) expect(traitsAt(path)).toEqual({});
  for (const path of ['/proc', '/sys']) expect(traitsAt(path)).toMatchObject({ ignoresCase: true, windows: true });
});

test('what cannot be asked has all of them', () => {
  expect(foldTraitsOf(-1)).toMatchObject({ ignoresCase: true, windows: true });
});
