import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const check = (cwd: string, args: string[]) =>
  spawnSync(process.execPath, ['scripts/generate.mjs', ...args], { cwd, encoding: 'utf8' });

test('the reference and the JSON Schema match the schema', () => {
  const { status, stderr } = check(process.cwd(), ['--check']);
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('a drift is detected and fixed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-generate-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of [
    'lib',
    'bin',
    'examples',
    'man',
    'completions',
    'templates',
    'scripts',
    'schema',
    'docs',
    'test/unit/docs',
    'package.json',
  ])
    cpSync(name, join(dir, name), { recursive: true });
  symlinkSync(join(process.cwd(), 'node_modules'), join(dir, 'node_modules'));
  const file = join(dir, 'docs/reference.md');
  const right = readFileSync(file, 'utf8');
  writeFileSync(file, `${right}more\n`);
  expect(check(dir, ['--check'])).toMatchObject({ status: 1, stderr: expect.stringContaining('docs/reference.md') });
  expect(check(dir, [])).toMatchObject({ status: 0, stdout: 'wrote docs/reference.md\n' });
  expect(readFileSync(file, 'utf8')).toBe(right);
  expect(check(dir, ['--check']).status).toBe(0);
});
