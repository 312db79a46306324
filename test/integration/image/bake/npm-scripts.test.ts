/** The install scripts of packages that were fetched before: by the real npm, on folders made for it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stagedSteps } from '../../../../lib/image/bake/npm-steps.ts';

let prefix: string;
let global: string;

beforeEach(() => {
  prefix = mkdtempSync(join(tmpdir(), 'sbx-ns-'));
  global = join(prefix, 'lib/node_modules');
});
afterEach(() => rmSync(prefix, { recursive: true, force: true }));

function packageAt(path: string, manifest: object): string {
  const dir = join(global, path);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ version: '1.0.0', ...manifest }));
  return dir;
}

function argv(): [string, string[]] {
  const [command = '', ...args] = stagedSteps(['top@1.0.0'], global).at(-1)?.argv ?? [];
  return [command, args];
}

const DONE = { install: "node -e \"require('fs').writeFileSync('done', '')\"" };

test('run where they are; a failing one of an optional package leaves it out, as npm does', () => {
  packageAt('top', {
    name: 'top',
    dependencies: { needed: '1.0.0' },
    optionalDependencies: { '@scope/fails': '1.0.0', works: '1.0.0' },
  });
  const needed = packageAt('top/node_modules/needed', { name: 'needed', scripts: DONE });
  const works = packageAt('top/node_modules/works', { name: 'works', scripts: DONE });
  const fails = packageAt('top/node_modules/@scope/fails', { name: '@scope/fails', scripts: { install: 'exit 1' } });
  const output = execFileSync(...argv(), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  expect(output).toContain('@scope/fails is optional, and left out');
  expect([needed, works].map((dir) => existsSync(join(dir, 'done')))).toEqual([true, true]);
  expect(existsSync(fails)).toBe(false);
});

test('of a package that is needed fail the bake, also where another one has it as optional', () => {
  packageAt('top', { name: 'top', dependencies: { needed: '1.0.0', other: '1.0.0' } });
  packageAt('top/node_modules/other', { name: 'other', optionalDependencies: { needed: '1.0.0' } });
  packageAt('top/node_modules/needed', { name: 'needed', scripts: { install: 'exit 1' } });
  expect(spawnSync(...argv()).status).not.toBe(0);
});
