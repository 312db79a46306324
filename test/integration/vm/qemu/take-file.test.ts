/** What a jailed QEMU hands over: a file, or nothing. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeFile } from '../../../../lib/vm/qemu/take-file.ts';

let dir: string;
const at = (name: string) => join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-take-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('a file is moved, in place of an older one', async () => {
  writeFileSync(at('from'), 'new');
  writeFileSync(at('to'), 'old');
  await takeFile(at('from'), at('to'));
  expect([existsSync(at('from')), readFileSync(at('to'), 'utf8')]).toEqual([false, 'new']);
});

test.each<[string, () => void]>([
  ['a link to a file of the host', () => symlinkSync(at('host'), at('from'))],
  ['a link to a folder of the host', () => symlinkSync(at('folder'), at('from'))],
  ['a folder', () => mkdirSync(at('from'))],
  ['a pipe, which would be waited for without end', () => void execFileSync('mkfifo', [at('from')])],
])('%s is refused, and what it leads to is not touched', async (_, make) => {
  writeFileSync(at('host'), 'of the host');
  mkdirSync(at('folder'));
  writeFileSync(at('folder/kept'), '');
  make();
  await expect(takeFile(at('from'), at('to'))).rejects.toMatchObject({ code: 'vm-save-failed' });
  expect([existsSync(at('to')), readFileSync(at('host'), 'utf8'), existsSync(at('folder/kept'))]).toEqual([
    false,
    'of the host',
    true,
  ]);
});

test('a link would be read through, if it were not refused', () => {
  writeFileSync(at('host'), 'of the host');
  symlinkSync(at('host'), at('from'));
  renameSync(at('from'), at('to'));
  expect(readFileSync(at('to'), 'utf8')).toBe('of the host');
});
