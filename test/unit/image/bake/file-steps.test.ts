import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fileSteps } from '../../../../lib/image/bake/bake-script.ts';

/** The step as the guest runs it, with a home folder of the test's own. */
function write(path: string, content: string, prepare: (home: string) => void = () => {}) {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-files-')));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  prepare(home);
  const [step] = fileSteps({ [path.replace('ROOT', home)]: content });
  const [file = '', ...args] = step?.argv ?? [];
  execFileSync(file, args, { cwd: '/', env: { PATH: process.env['PATH'], HOME: home }, input: step?.input });
  return { home, user: step?.user, mode: (name: string) => (statSync(join(home, name)).mode & 0o777).toString(8) };
}

test('a file below ~ is the agent’s alone, folders on the way as well', () => {
  const { home, user, mode } = write('~/.config/it’s $HOME/a.json', 'a\n$(id) "b" \\ ');
  expect(readFileSync(join(home, '.config/it’s $HOME/a.json'), 'utf8')).toBe('a\n$(id) "b" \\ ');
  expect([user, mode('.config/it’s $HOME/a.json'), mode('.config')]).toEqual(['agent', '600', '700']);
});

test('any other is root’s, and readable; a script may be run', () => {
  expect(write('ROOT/etc/a.toml', '').mode('etc/a.toml')).toBe('644');
  const { user, mode } = write('ROOT/bin/a', '#!/bin/sh\necho hi\n');
  expect([user, mode('bin/a'), mode('bin')]).toEqual(['root', '755', '755']);
  expect(write('~/a', '#!/bin/sh\n').mode('a')).toBe('700');
});

test('a link in its way is replaced, not followed; a name may begin with a hyphen', () => {
  const { home } = write('~/-rf', 'new', (dir) => {
    writeFileSync(join(dir, 'victim'), 'old');
    symlinkSync(join(dir, 'victim'), join(dir, '-rf'));
  });
  expect([readFileSync(join(home, 'victim'), 'utf8'), readFileSync(join(home, '-rf'), 'utf8')]).toEqual(['old', 'new']);
});

test('a folder in its way ends the bake', () => {
  expect(() => write('~/a', 'x', (dir) => mkdirSync(join(dir, 'a')))).toThrow(/Is a directory/i);
});
