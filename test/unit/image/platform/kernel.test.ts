/** The modules of a kernel package, wherever the release has them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { modulesFolder } from '../../../../lib/image/platform/kernel.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'sbx-kernel-'));
});
afterEach(() => rmSync(work, { recursive: true }));

function put(folder: string): void {
  mkdirSync(join(work, folder, '6.1'), { recursive: true });
  writeFileSync(join(work, folder, '6.1/modules.order'), 'kernel/a.ko\n');
}

test.each<[string, () => void]>([
  ['below /lib', () => put('lib/modules')],
  ['below /usr/lib', () => put('usr/lib/modules')],
  [
    'below /usr/lib, with other files below /lib',
    () => {
      put('usr/lib/modules');
      mkdirSync(join(work, 'lib/firmware'), { recursive: true });
    },
  ],
  [
    'below /usr/lib, to which /lib is a link',
    () => {
      put('usr/lib/modules');
      symlinkSync('usr/lib', join(work, 'lib'));
    },
  ],
])('%s are found below /lib, also by a depmod that looks below /usr', async (where, prepare) => {
  prepare();
  const inUsr = where.includes('/usr');
  expect(await modulesFolder(work)).toBe(join(work, 'lib/modules'));
  for (const folder of ['lib', ...(inUsr ? ['usr/lib'] : [])])
    expect(readFileSync(join(work, folder, 'modules/6.1/modules.order'), 'utf8')).toBe('kernel/a.ko\n');
});
