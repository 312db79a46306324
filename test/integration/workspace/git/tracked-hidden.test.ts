import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { trackedHidden } from '../../../../lib/workspace/git/tracked-hidden.ts';

let dir: string;
const git = (...args: string[]) => execFileSync('git', ['-C', dir, ...args], { encoding: 'utf8', stdio: 'pipe' });

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-tracked-'));
  git('init', '-q');
  mkdirSync(join(dir, 'web/secrets'), { recursive: true });
  for (const file of ['.env', 'web/.env', 'web/secrets/a\nb', 'web/index.ts', 'new.env'])
    writeFileSync(join(dir, file), '');
  git('add', '.env', 'web');
});
afterEach(() => rmSync(dir, { recursive: true }));

test('finds files at any depth, and those of hidden folders; not those that git does not track', async () => {
  expect(await trackedHidden(dir, ['.env', 'secrets/', 'new.env'])).toEqual(['.env', 'web/.env', 'web/secrets/a\nb']);
});

test('in a subfolder of a repository paths count from there', async () => {
  expect(await trackedHidden(join(dir, 'web'), ['/.env'])).toEqual(['.env']);
});

test('finds nothing without patterns, and without a repository', async () => {
  expect(await trackedHidden(dir, [])).toEqual([]);
  rmSync(join(dir, '.git'), { recursive: true });
  expect(await trackedHidden(dir, ['.env'])).toEqual([]);
});

test("runs nothing of the repository's configuration, which the plain command does", async () => {
  const mark = join(dir, 'mark');
  writeFileSync(join(dir, 'evil'), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
  git('config', 'core.fsmonitor', join(dir, 'evil'));
  await trackedHidden(dir, ['.env']);
  expect(existsSync(mark)).toBe(false);
  git('status');
  expect(existsSync(mark)).toBe(true);
});
