/** Checks the syntax of every script in lib/ that runs inside a guest, with shellcheck where it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { initramfsInit, runtimeInit } from '../../../lib/image/platform/guest-init.ts';

const files = readdirSync('lib', { recursive: true, encoding: 'utf8' }).map((name) => join('lib', name));
const perl = files.filter((name) => name.endsWith('.pl'));
const shell = files.filter((name) => name.endsWith('.sh'));
const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;

test('both kinds of scripts are found', () => {
  expect(perl).toContain('lib/guest/setup/setup.pl');
  expect(shell).toContain('lib/image/platform/runtime-init.sh');
});

test.each(perl)('%s compiles without warnings', (file) => {
  const { status, stderr } = spawnSync('perl', ['-wc', file], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: `${file} syntax OK\n` });
});

test.each(shell)('%s parses', (file) => {
  execFileSync('sh', ['-n', file]);
});

describe.skipIf(!hasShellcheck)('shellcheck', () => {
  test.each(shell)('finds nothing in %s', (file) => {
    expect(spawnSync('shellcheck', [file], { encoding: 'utf8' }).stdout).toBe('');
  });
});

test('the init scripts load the modules that they are given, in order', () => {
  expect(initramfsInit(['a.ko', 'b.ko'])).toContain('for m in /modules/a.ko /modules/b.ko; do\n');
  expect(runtimeInit(['a', 'b'])).toContain('for m in a b; do\n');
});
