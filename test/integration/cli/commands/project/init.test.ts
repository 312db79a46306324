/** `sbx init` says of each file that it knows what it took from it, or why it took nothing. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-init-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const init = (...flags: string[]) =>
  execFileSync(resolve('bin/sbx'), ['init', ...flags], { cwd: dir, encoding: 'utf8' })
    .split('\n')
    .slice(1);

test('a file that gave something, files that gave nothing, and a name that would write to the terminal', () => {
  const hostile = 'Dockerfile.\u001b[2Jx';
  for (const file of ['package.json', 'compose.yaml', '.nvmrc', hostile, 'notes.txt'])
    writeFileSync(join(dir, file), '');
  const lines = init();
  expect(lines).toContain('used: package.json: packages and presets for JavaScript (npm)');
  expect(lines).toContain('not used: compose.yaml: its services run only with [docker] enabled = true');
  expect(lines.filter((line) => line.startsWith('not used: .nvmrc: the versions are those of the image'))).toHaveLength(
    1,
  );
  expect(lines.filter((line) => line.startsWith('not used: Dockerfile.'))).toHaveLength(1);
  expect(lines.join('\n')).not.toContain('\u001b');
  expect(lines.join('\n')).not.toContain('notes.txt');
  expect(readFileSync(join(dir, 'sandbox.toml'), 'utf8')).toContain('preset:npm');
});

test('a folder without such files has no line of them', () => {
  expect(init().filter((line) => line.includes('used:'))).toEqual([]);
});

test('a devcontainer.json is used with --from-devcontainer only; keys that would write to the terminal are shown', () => {
  mkdirSync(join(dir, '.devcontainer'));
  writeFileSync(
    join(dir, '.devcontainer/devcontainer.json'),
    '{ "image": "debian:trixie", /* comment */ "postCreateCommand": "npm ci", "x\\u001b[2J": 1, }',
  );
  const field = (name: string) => `used: .devcontainer/devcontainer.json: ${name}`;
  expect(init('--from-devcontainer').filter((line) => line.includes('used: '))).toEqual([
    field('image: base debian:trixie'),
    `not ${field("postCreateCommand: run it yourself, once: sbx exec -- sh -c 'npm ci'")}`,
    `not ${field('x\\u{1b}[2J: it has no counterpart in sandbox.toml')}`,
  ]);
  expect(readFileSync(join(dir, 'sandbox.toml'), 'utf8')).toContain('base = "debian:trixie"');
  rmSync(join(dir, 'sandbox.toml'));
  expect(init().filter((line) => line.includes('used: '))).toEqual([
    'not used: .devcontainer: `sbx init --from-devcontainer` uses its image, features, ports and variables',
  ]);
  expect(readFileSync(join(dir, 'sandbox.toml'), 'utf8')).not.toContain('[image]');
});
