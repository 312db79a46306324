import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readInside } from '../../../../lib/config/devcontainer/read-inside.ts';
import { makeProject } from '../project.ts';

const LINKS: [string, (dir: string, outside: string) => void][] = [
  ['a link to a file of the host', (dir, outside) => symlinkSync(join(outside, 'f'), join(dir, 'd/f'))],
  ['a link to a hidden file of the project', (dir) => symlinkSync('../.env', join(dir, 'd/f'))],
  [
    'a file in a linked folder',
    (dir, outside) => {
      execFileSync('rmdir', [join(dir, 'd')]);
      symlinkSync(outside, join(dir, 'd'));
    },
  ],
];

async function project(make: (dir: string, outside: string) => void): Promise<string> {
  const outside = await makeProject({ f: 'secret' });
  const dir = await makeProject({ '.env': 'secret' });
  mkdirSync(join(dir, 'd'));
  make(dir, outside);
  return dir;
}

test.each<[string, (dir: string, outside: string) => void]>([
  ...LINKS,
  ['a folder', (dir) => mkdirSync(join(dir, 'd/f'))],
  ['a pipe', (dir) => execFileSync('mkfifo', [join(dir, 'd/f')])],
])('%s is refused', async (_, make) => {
  await expect(readInside(await project(make), 'd/f')).rejects.toMatchObject({ code: 'config-invalid' });
});

test.each(LINKS)('%s would be followed by a plain read', async (_, make) => {
  expect(readFileSync(join(await project(make), 'd/f'), 'utf8')).toBe('secret');
});

test('a file is read, also when the project is reached through a link; an absent one is undefined', async () => {
  const dir = await makeProject({ 'd/f': 'text' });
  const link = join(await makeProject({}), 'link');
  symlinkSync(dir, link);
  expect(await readInside(link, 'd/f')).toBe('text');
  expect(await readInside(dir, 'd/absent')).toBeUndefined();
  expect(await readInside(dir, 'd/f/below')).toBeUndefined();
});

test('text that is not UTF-8 and a file that is too large are refused', async () => {
  const dir = await makeProject({ bytes: Buffer.from([0xff, 0xfe]), large: Buffer.alloc(65_537, 'x') });
  await expect(readInside(dir, 'bytes')).rejects.toMatchObject({ why: 'it is not UTF-8 text' });
  await expect(readInside(dir, 'large')).rejects.toMatchObject({ why: 'it has 65537 bytes, the limit is 65536' });
});
