import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Folder } from '../../../../lib/guest/copy/folder.ts';
import { pack } from '../../../../lib/guest/copy/pack.ts';
import { archiveOf, copy, extractInto, treeOf, usePlace } from './rig.ts';

const place = usePlace();

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

  test('is merged into an existing folder, whose mode is kept', async () => {
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

  test('leaves out special files, and reports them', async () => {
    mkdirSync(join(place.dir, 'from'));
    execFileSync('mkfifo', [join(place.dir, 'from/pipe')]);
    writeFileSync(Buffer.concat([Buffer.from(join(place.dir, 'from/bad')), Buffer.from([0xff])]), '');
    writeFileSync(join(place.dir, 'from/good'), '');
    await using from = await Folder.open(place.dir);
    const packing = pack({ folder: from, name: 'from', perl: ['perl'] });
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

test('a file that becomes shorter while it is read ends the copy', async () => {
  writeFileSync(join(place.dir, 'log'), Buffer.alloc(4_000_000));
  await using from = await Folder.open(place.dir);
  const packing = pack({ folder: from, name: 'log', perl: ['perl'] });
  await packing.next();
  truncateSync(join(place.dir, 'log'), 300_000);
  await expect(
    (async () => {
      for await (const _ of packing);
    })(),
  ).rejects.toThrow(/shorter/);
});

test('a consumer that stops early ends the reading', async () => {
  mkdirSync(join(place.dir, 'from'));
  for (let index = 0; index < 50; index += 1) writeFileSync(join(place.dir, `from/${index}`), Buffer.alloc(100_000));
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  {
    await using from = await Folder.open(place.dir);
    for await (const _ of pack({ folder: from, name: 'from', perl: ['perl'] })) break;
  }
  expect(open()).toBe(before);
});
