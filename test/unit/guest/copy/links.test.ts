import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Folder } from '../../../../lib/guest/copy/folder.ts';
import { archiveOf, copy, extractInto, file, folder, link, root, usePlace } from './rig.ts';

const place = usePlace();

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

  test('are kept as they are in a copy from the host', async () => {
    await extractInto(place.into, await archiveOf([root, link('l', '/usr/bin/env'), file('A'), file('a')]), {
      trusted: true,
    });
    expect(readlinkSync(join(place.into, 'copy/l'))).toBe('/usr/bin/env');
    expect(readdirSync(join(place.into, 'copy')).toSorted()).toEqual(['A', 'a', 'l']);
  });

  test('at the target are not written through', async () => {
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

  test('in the path of the target are refused, with the real path', async () => {
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
      expect(() => from.openFile(name)).toThrow(/invalid file name/);
  });
});
